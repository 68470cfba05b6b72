"""CAM: formula of both variants in float64, half precision, count, start, bad input."""

import pytest
import torch

from tests.layers.check import scramble
from tests.layers.helpers import assert_same, count, exact, make, random_map
from tests.layers.starts import assert_start
from tests.stack import needs_float16


@pytest.mark.parametrize('variant', ['code', 'paper'])
def test_cam_in_both_variants(variant):
    layer = exact('CAM', in_channels=8, variant=variant)
    x = random_map(2, 8, 3, 4)
    rows = x.flatten(2)
    energy = torch.einsum('nci,ndi->ncd', rows, rows)
    if variant == 'code':
        energy = energy.max(2, keepdim=True).values - energy
    assert_same(layer(x), x + layer.gamma * (energy.softmax(2) @ rows).view_as(x))


def test_the_variants_of_cam_differ():
    x = random_map(1, 8, 3, 4)
    assert (
        exact('CAM', in_channels=8)(x) - exact('CAM', in_channels=8, variant='paper')(x)
    ).abs().max() > 0.1


@needs_float16
def test_cam_survives_products_beyond_half_precision():
    """40 * 40 * 100 places is above float16's largest number."""
    layer = make('CAM', in_channels=4)
    torch.nn.init.ones_(layer.gamma)
    x = 40 * torch.randn(1, 4, 10, 10)
    with torch.autocast('cpu', torch.float16):
        y = layer(x.half())
    assert torch.isfinite(y).all()
    assert (y.float() - layer(x.half().float())).abs().max() <= 1e-2 * x.abs().max()


@pytest.mark.parametrize(
    'options, number',
    [
        (dict(in_channels=64), 1),
    ],
)
def test_parameter_counts_are_the_papers(options, number):
    assert count('CAM', **options) == number


def test_start():
    """junfu1115/DANet: encoding/nn/da_att.py."""
    assert_start('CAM', {'gamma': 0}, in_channels=64)


def test_it_starts_as_the_identity():
    layer = make('CAM', in_channels=16)
    scramble(layer)
    layer.init_weights()
    x = torch.randn(2, 16, 4, 5)
    assert torch.equal(layer(x), x)


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(variant='papre'), "variant='papre' must be 'code' or 'paper'"),
    ],
)
def test_options_that_cannot_work_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make('CAM', **{'in_channels': 32, **options})
