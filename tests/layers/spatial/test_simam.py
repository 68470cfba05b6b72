"""SimAM: formula in float64, one value, half precision, bad input."""

import pytest
import torch

from tests.layers.helpers import count, exact, make, random_map
from tests.layers.starts import assert_start


def test_a_single_value_does_not_make_simam_nan():
    layer = exact('SimAM', in_channels=8)
    x = random_map(2, 8, 1, 1).requires_grad_()
    y = layer(x)
    torch.testing.assert_close(y, x * torch.sigmoid(torch.tensor(0.5, dtype=x.dtype)))
    y.sum().backward()
    assert torch.isfinite(x.grad).all()


def test_simam_does_not_overflow_in_half_precision():
    layer = exact('SimAM', in_channels=8)
    x = 1000 * random_map(1, 8, 6, 5)
    half = layer(x.half())
    assert half.dtype == torch.float16
    torch.testing.assert_close(half.double(), layer(x), rtol=2e-3, atol=1)


def test_simams_lambda_is_used():
    x = random_map(1, 8, 4, 5)
    square = (x - x.mean((2, 3), keepdim=True)) ** 2
    variance = square.sum((2, 3), keepdim=True) / 19
    expected = x * torch.sigmoid(square / (4 * (variance + 0.1)) + 0.5)
    torch.testing.assert_close(exact('SimAM', in_channels=8, e_lambda=0.1)(x), expected)


@pytest.mark.parametrize(
    'options, number',
    [
        (dict(in_channels=64), 0),
    ],
)
def test_parameter_counts_are_the_papers(options, number):
    assert count('SimAM', **options) == number


def test_start():
    """It has no parameters."""
    assert_start('SimAM', {}, in_channels=64)


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(e_lambda=0), 'e_lambda=0 must be positive'),
    ],
)
def test_options_that_cannot_work_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make('SimAM', **{'in_channels': 32, **options})
