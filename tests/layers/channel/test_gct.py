"""GCT: count, start, half precision, bad input. The formulas of its parts are in test_squeeze.py and
test_excitation.py.
"""

import pytest
import torch

from tests.layers.helpers import assert_finite_on_a_constant_map, count, make
from tests.layers.starts import assert_start


@pytest.mark.parametrize('height, width', [(1, 1), (3, 4)])
@pytest.mark.parametrize('mode', ['l2', 'l1'])
def test_a_constant_map_has_finite_gradients(height, width, mode):
    assert_finite_on_a_constant_map('GCT', height, width, mode=mode)


@pytest.mark.parametrize(
    'options, number',
    [
        (dict(in_channels=64), 3 * 64),
    ],
)
def test_parameter_counts_are_the_papers(options, number):
    assert count('GCT', **options) == number


def test_start():
    """z-x-yang/GCT: PyTorch/GCT.py."""
    assert_start('GCT', {'excitation.alpha': 1, 'excitation.gamma': 0, 'excitation.beta': 0}, in_channels=64)


@pytest.mark.parametrize('mode', ['l2', 'l1'])
def test_it_starts_as_the_identity(mode):
    x = torch.randn(2, 8, 5, 7)
    torch.testing.assert_close(make('GCT', in_channels=8, mode=mode)(x), x)


def test_half_precision_does_not_overflow():
    layer = make('GCT', in_channels=2).half()
    x = torch.full((1, 2, 64, 64), 300.0, dtype=torch.float16)
    assert torch.equal(layer(x), x)


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(mode='l3'), "mode='l3' must be 'l1' or 'l2'"),
    ],
)
def test_options_that_cannot_work_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make('GCT', **{'in_channels': 32, **options})
