"""SRM: formula in float64, count, start, bad input."""

import pytest
import torch

from tests.layers.helpers import MAPS, assert_finite_on_a_constant_map, count, exact, make, random_map
from tests.layers.starts import assert_start, plain_norm


@pytest.mark.parametrize('variant', ['code', 'paper'])
@pytest.mark.parametrize('height, width', MAPS)
def test_srm_is_its_formula(variant, height, width):
    layer = exact('SRM', in_channels=4, variant=variant)
    x = random_map(3, 4, height, width)
    count = max(height * width - (variant == 'code'), 1)
    mean = x.mean((2, 3))
    std = ((x - mean[:, :, None, None]).square().sum((2, 3)) / count + 1e-5).sqrt()
    style = layer.excitation
    z = mean * style.weight[:, 0] + std * style.weight[:, 1]
    z = (z - style.norm.running_mean) / (style.norm.running_var + 1e-5).sqrt()
    gate = torch.sigmoid(z * style.norm.weight + style.norm.bias)
    torch.testing.assert_close(layer(x), x * gate[:, :, None, None])


@pytest.mark.parametrize('height, width', [(1, 1), (3, 4)])
def test_a_constant_map_has_finite_gradients(height, width):
    assert_finite_on_a_constant_map('SRM', height, width)


@pytest.mark.parametrize(
    'options, number',
    [
        (dict(in_channels=64), 4 * 64),
    ],
)
def test_parameter_counts_are_the_papers(options, number):
    assert count('SRM', **options) == number


def test_start():
    """hyunjaelee410/style-based-recalibration-module: models/recalibration_modules.py."""
    assert_start('SRM', {'excitation.weight': 0, **plain_norm('excitation.norm')}, in_channels=64)


def test_the_gate_starts_at_one_half():
    layer = make('SRM', in_channels=8)
    x = torch.randn(2, 8, 5, 7)
    torch.testing.assert_close(layer(x), x * 0.5)


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(variant='codes'), "variant='codes' must be 'code' or 'paper'"),
    ],
)
def test_options_that_cannot_work_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make('SRM', **{'in_channels': 32, **options})


def test_a_batch_of_one_cannot_be_trained():
    layer = make('SRM', in_channels=8)
    x = torch.randn(1, 8, 5, 7)
    with pytest.raises(
        ValueError, match=r'with one sample, and is given \(1, .*train with at least 2 samples'
    ):
        layer(x)
    assert layer.eval()(x).shape == x.shape
