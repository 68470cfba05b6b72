"""AAConv: a double loop over all pairs in float64, count, start, bad input."""

import pytest
import torch
from torch.nn import functional

from tests.layers.conv.build import random_conv
from tests.layers.examples import examples_of
from tests.layers.helpers import count, make
from tests.layers.starts import assert_start, kaiming, normal


@pytest.mark.parametrize('stride', [1, 2])
@pytest.mark.parametrize('name', examples_of('AAConv'))
@pytest.mark.parametrize('size', [(1, 1), (3, 5), (6, 4)])
def test_aa_equals_a_double_loop_over_all_pairs(name, stride, size):
    """Maps within and beyond the tables (max_size 5 and 3), one logit at a time."""
    layer = random_conv(name, stride=stride).double()
    heads, (keys, _, values) = layer.num_heads, layer.widths
    x = torch.randn(1, 8, *size, dtype=torch.float64)
    kqv = functional.conv2d(x, layer.kqv.weight, layer.kqv.bias)[0, :, ::stride, ::stride]
    height, width = kqv.shape[1:]
    places = [(y, z) for y in range(height) for z in range(width)]
    d, e, reach = keys // heads, values // heads, layer.relative_h.shape[0] // 2
    attended = torch.zeros(values, height, width, dtype=torch.float64)
    for head in range(heads):
        key, query = kqv[head * d :][:d], kqv[keys + head * d :][:d]
        value = kqv[2 * keys + head * e :][:e]
        for y, z in places:
            q = query[:, y, z] / d**0.5
            logits = []
            for v, w in places:
                row = layer.relative_h[min(max(v - y, -reach), reach) + reach]
                column = layer.relative_w[min(max(w - z, -reach), reach) + reach]
                logits.append(q @ key[:, v, w] + q @ row + q @ column)
            weights = torch.softmax(torch.stack(logits), 0)
            for weight, (v, w) in zip(weights, places, strict=True):
                attended[head * e : (head + 1) * e, y, z] += weight * value[:, v, w]
    mixed = functional.conv2d(attended[None], layer.proj.weight, layer.proj.bias)
    local = functional.conv2d(x, layer.conv.weight, layer.conv.bias, stride, 1)
    torch.testing.assert_close(layer(x), torch.cat([local, mixed], 1))


def test_start():
    """No published code: a ResNet's start for the convolutions; the tables as in copies of the paper's listing."""
    assert_start(
        'AAConv',
        {
            'conv.weight': kaiming(9 * 32),
            'conv.bias': 0,
            'kqv.weight': kaiming(48),
            'kqv.bias': 0,
            'proj.weight': kaiming(16),
            'proj.bias': 0,
            'relative_h': normal(8**-0.5),
            'relative_w': normal(8**-0.5),
        },
        in_channels=32,
        out_channels=48,
        kernel_size=3,
        padding=1,
        num_heads=2,
        key_channels=16,
        value_channels=16,
        max_size=32,
    )


@pytest.mark.parametrize(
    'options, number',
    [
        (
            dict(
                in_channels=64,
                out_channels=128,
                kernel_size=3,
                padding=1,
                key_channels=160,
                value_channels=16,
                max_size=14,
                bias=False,
            ),
            9 * 64 * 112 + 64 * (320 + 16) + 16**2 + (2 * 14 + 2 * 14 - 2) * 20,
        ),
    ],
)
def test_parameter_counts_are_the_papers(options, number):
    assert count('AAConv', **options) == number


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(padding=0), r'padding=\(0, 0\) does not keep the places.*use padding=\(1, 1\)'),
        (dict(num_heads=0), 'num_heads=0 and max_size=32 must be at least 1'),
        (dict(key_channels=20), 'key_channels=20 must be a positive multiple of num_heads=8: try 16'),
        (dict(num_heads=16), 'value_channels=16 leaves 0 of out_channels=16'),
        (dict(groups=16), 'groups=16 must divide the 8 channels that value_channels=8 leaves'),
    ],
)
def test_options_that_cannot_work_are_refused(options, message):
    sizes = dict(in_channels=16, out_channels=16, kernel_size=3, padding=1)
    with pytest.raises(ValueError, match=message):
        make('AAConv', **{**sizes, **options})
