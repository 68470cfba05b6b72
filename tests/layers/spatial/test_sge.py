"""SGE: formula in float64, count, start, bad input."""

import itertools

import pytest
import torch

from tests.layers.helpers import MAPS, assert_finite_on_a_constant_map, count, exact, make, random_map
from tests.layers.starts import assert_start


@pytest.mark.parametrize('variant', ['code', 'paper'])
@pytest.mark.parametrize('height, width', MAPS)
def test_sge_is_its_formula(variant, height, width):
    layer = exact('SGE', in_channels=6, groups=3, variant=variant)
    x = random_map(2, 6, height, width)
    expected = torch.empty_like(x)
    for n, g in itertools.product(range(2), range(3)):
        group = x[n, 2 * g : 2 * g + 2]
        t = (group * group.mean((1, 2), keepdim=True)).sum(0)
        count = max(height * width - (variant == 'code'), 1)
        t = t - t.mean()
        t = t / ((t.square().sum() / count).sqrt() + 1e-5)
        expected[n, 2 * g : 2 * g + 2] = group * torch.sigmoid(layer.weight[g] * t + layer.bias[g])
    torch.testing.assert_close(layer(x), expected)


@pytest.mark.parametrize('height, width', [(1, 1), (3, 4)])
def test_a_constant_map_has_finite_gradients(height, width):
    assert_finite_on_a_constant_map('SGE', height, width, groups=2)


@pytest.mark.parametrize(
    'options, number',
    [
        (dict(in_channels=256), 2 * 64),
    ],
)
def test_parameter_counts_are_the_papers(options, number):
    assert count('SGE', **options) == number


def test_start():
    """implus/PytorchInsight: classification/models/imagenet/resnet_sge.py."""
    assert_start('SGE', {'weight': 0, 'bias': 1}, in_channels=64)


def test_the_gate_starts_at_sigmoid_1():
    layer = make('SGE', in_channels=8, groups=4)
    x = torch.randn(2, 8, 5, 7)
    torch.testing.assert_close(layer(x), x * torch.sigmoid(torch.tensor(1.0)))


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(groups=6), 'groups=6 does not divide in_channels=32: try 4 or 8'),
        (dict(), 'groups=64 does not divide in_channels=32: try 16 or 32'),
        (dict(groups=0), 'groups=0 does not divide in_channels=32: try 1 or 2'),
    ],
)
def test_options_that_cannot_work_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make('SGE', **{'in_channels': 32, **options})
