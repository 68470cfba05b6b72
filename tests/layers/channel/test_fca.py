"""FCA: formula in float64, count, start, what is saved, bad input."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F

from tests.layers.helpers import MAPS, count, exact, make, random_map
from tests.layers.starts import assert_start, torch_default


@pytest.mark.parametrize('height, width', MAPS)
def test_fca_is_its_formula(height, width):
    layer = exact('FCA', in_channels=8, reduction=2, dct_size=(14, 7), frequencies=[(0, 0), (3, 5)])
    x = random_map(2, 8, height, width)
    pooled = F.adaptive_avg_pool2d(x, (14, 7))
    z = torch.zeros(2, 8, dtype=torch.float64)
    for c, h, w in itertools.product(range(8), range(14), range(7)):
        u, v = [(0, 0), (6, 5)][c // 4]
        basis = math.cos(math.pi * u * (h + 0.5) / 14) * math.cos(math.pi * v * (w + 0.5) / 7)
        basis *= (2 if u else 1) ** 0.5 * (2 if v else 1) ** 0.5 / math.sqrt(14 * 7)
        z[:, c] += pooled[:, c, h, w] * basis
    first, second = layer.excitation.fc1.weight, layer.excitation.fc2.weight
    expected = x * torch.sigmoid((z @ first.T).relu() @ second.T)[:, :, None, None]
    torch.testing.assert_close(layer(x), expected, rtol=1e-6, atol=1e-6)  # the bases are float32


def test_the_bases_are_not_saved():
    layer = make('FCA', in_channels=32, dct_size=56)
    assert set(layer.state_dict()) == {'excitation.fc1.weight', 'excitation.fc2.weight'}
    assert layer.official_constants()['dct_layer.weight'].shape == (32, 56, 56)


@pytest.mark.parametrize(
    'options, number',
    [
        (dict(in_channels=256), 2 * 256 * 16),
    ],
)
def test_parameter_counts_are_the_papers(options, number):
    assert count('FCA', **options) == number


def test_start():
    """torch's default of a linear layer, as in cfzd/FcaNet: model/layer.py."""
    assert_start(
        'FCA',
        {
            **torch_default('excitation.fc1', 64, bias=False),
            **torch_default('excitation.fc2', 16, bias=False),
        },
        in_channels=64,
        reduction=4,
    )


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(frequencies='top7'), '7 frequencies do not divide in_channels=32, 4 would'),
        (dict(frequencies='tob8'), "frequencies='tob8' must be top, low or bot .* did you mean"),
        (dict(frequencies='low33'), "frequencies='low33' must be top, low or bot"),
        (dict(frequencies=[(0, 7)]), 'must be pairs of indices from 0 to 6'),
        (dict(frequencies=[]), 'must be pairs of indices'),
        (dict(dct_size=5), 'dct_size=5 must be one or two sizes of at least 7'),
        (dict(reduction=64), 'reduction=64 leaves 0 hidden channels for in_channels=32'),
    ],
)
def test_options_that_cannot_work_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make('FCA', **{'in_channels': 32, **options})
