"""ECA: count, start, bad input."""

import pytest

from tests.layers.helpers import count, make
from tests.layers.starts import assert_start, torch_default


@pytest.mark.parametrize(
    'options, number',
    [
        (dict(in_channels=64), 3),
        (dict(in_channels=128), 5),
        (dict(in_channels=256), 5),
    ],
)
def test_parameter_counts_are_the_papers(options, number):
    assert count('ECA', **options) == number


def test_start():
    """torch's default of a convolution, as in BangguWu/ECANet: models/eca_module.py."""
    assert_start('ECA', torch_default('excitation.conv', 63, bias=False), in_channels=64, kernel_size=63)


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(kernel_size=4), 'kernel_size=4 must be odd'),
    ],
)
def test_options_that_cannot_work_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make('ECA', **{'in_channels': 32, **options})
