"""One multiply-add per tap is the neighbourhood side by side."""

import pytest

from attn_plugins.ops.dynamic_conv import dynamic_depthwise, dynamic_depthwise_as_published
from tests.ops.compare import assert_as_published, random


@pytest.mark.parametrize(
    'kernel_size, stride, dilation', [(3, (1, 1), (1, 1)), (3, (2, 1), (2, 3)), (5, (2, 3), (1, 2))]
)
def test_dynamic_convolution(kernel_size, stride, dilation):
    height, width = -(-6 // stride[0]), -(-7 // stride[1])
    geometry = (kernel_size, stride, dilation)
    assert_as_published(
        lambda value, weights: dynamic_depthwise(value, weights, *geometry),
        lambda value, weights: dynamic_depthwise_as_published(value, weights, *geometry),
        random(2, 6, 6, 7),
        random(2, 3, kernel_size**2, height, width),
    )
