"""DynamicConv: an unfolded neighbourhood in float64, count, start, bad input."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from tests.layers.conv.build import GEOMETRIES, random_conv
from tests.layers.examples import examples_of
from tests.layers.helpers import count, make
from tests.layers.starts import assert_start, glorot, kaiming


@pytest.mark.parametrize('geometry', GEOMETRIES, ids=str)
@pytest.mark.parametrize('name', examples_of('DynamicConv'))
def test_dynamic_equals_an_unfolded_neighbourhood(name, geometry):
    layer = random_conv(name, **geometry).double()
    x = torch.randn(2, 8, 5, 6, dtype=torch.float64)
    value = functional.conv2d(x, layer.value.weight, layer.value.bias, groups=layer.groups)
    logits = functional.conv2d(x, layer.kernel.weight, layer.kernel.bias)
    logits = logits[:, :, :: layer.stride[0], :: layer.stride[1]]
    size, taps = logits.shape[2:], layer.kernel_size[0] ** 2
    weights = torch.softmax(logits.reshape(2, layer.weight_groups, taps, -1), 2)
    columns = functional.unfold(value, layer.kernel_size, layer.dilation, layer.padding, layer.stride)
    columns = columns.reshape(2, 12, taps, -1)
    expected = torch.empty(2, 12, columns.shape[-1], dtype=torch.float64)
    for channel in range(12):
        group = channel * layer.weight_groups // 12
        expected[:, channel] = (columns[:, channel] * weights[:, group]).sum(1)
    torch.testing.assert_close(layer(x), expected.reshape(2, 12, *size))


def test_uniform_kernels_make_dynamic_convolution_an_average():
    layer = random_conv('DynamicConv(weight_groups=4)')
    for value in layer.kernel.parameters():
        nn.init.zeros_(value)
    x = torch.randn(1, 8, 5, 6)
    torch.testing.assert_close(layer(x), functional.avg_pool2d(layer.value(x), 3, 1, 1), rtol=1e-5, atol=1e-6)


def test_start():
    """This package's choice, as the page says: Kaiming's for the values, Glorot's for the kernels."""
    assert_start(
        'DynamicConv',
        {
            'value.weight': kaiming(32),
            'value.bias': 0,
            'kernel.weight': glorot(64, 8 * 9),
            'kernel.bias': 0,
        },
        in_channels=64,
        out_channels=32,
        kernel_size=3,
        padding=1,
        weight_groups=8,
    )


@pytest.mark.parametrize(
    'options, number',
    [
        (
            dict(in_channels=64, out_channels=128, kernel_size=3, padding=1),
            64 * 128 + 64 * 8 * 9 + 128 + 8 * 9,
        ),
    ],
)
def test_parameter_counts_are_the_papers(options, number):
    assert count('DynamicConv', **options) == number


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(padding=2), r'padding=\(2, 2\) does not keep.*use padding=\(1, 1\)'),
        (dict(weight_groups=5), 'weight_groups=5 must divide out_channels=16: try 4'),
    ],
)
def test_options_that_cannot_work_are_refused(options, message):
    sizes = dict(in_channels=16, out_channels=16, kernel_size=3, padding=1)
    with pytest.raises(ValueError, match=message):
        make('DynamicConv', **{**sizes, **options})
