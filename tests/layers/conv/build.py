"""Convolutions with random weights, and the geometries that they are tested in."""

import torch
from mmcv.cnn import build_conv_layer
from torch import nn

from tests.layers.check import scramble
from tests.layers.examples import CONV_SIZES, CONVS

GEOMETRIES = [
    dict(kernel_size=3, padding=1),
    dict(kernel_size=3, stride=2, padding=1),
    dict(kernel_size=(5, 5), stride=(1, 3), padding=(2, 2)),
    dict(kernel_size=3, stride=2, padding=2, dilation=2),
]


def random_conv(example: str, channels: int = 8, **sizes) -> nn.Module:
    """An example of a convolution as mmcv builds it, with random weights."""
    torch.manual_seed(0)
    layer = build_conv_layer(CONVS[example], channels, **{**CONV_SIZES, **sizes})
    scramble(layer)
    return layer
