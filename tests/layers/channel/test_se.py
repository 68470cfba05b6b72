"""SE: count, start, bad input."""

import pytest

from tests.layers.helpers import assert_takes_its_map_by_keyword, count, make
from tests.layers.starts import assert_start, torch_default


@pytest.mark.parametrize(
    'options, number',
    [
        (dict(in_channels=64, reduction=16), 64 * 4 + 4 + 4 * 64 + 64),
        (dict(in_channels=64, reduction=16, bias=False), 2 * 64 * 4),
    ],
)
def test_parameter_counts_are_the_papers(options, number):
    assert count('SE', **options) == number


def test_start():
    """torch's default of a linear layer, as in hyunjaelee410/style-based-recalibration-module."""
    assert_start(
        'SE',
        {**torch_default('excitation.fc1', 64), **torch_default('excitation.fc2', 16)},
        in_channels=64,
        reduction=4,
    )


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(reduction=64), 'reduction=64 leaves 0 hidden channels for in_channels=32'),
        (dict(reduction=0), 'reduction=0 must be at least 1'),
    ],
)
def test_options_that_cannot_work_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make('SE', **{'in_channels': 32, **options})


def test_a_map_by_keyword_is_checked_and_compiles():
    assert_takes_its_map_by_keyword('SE', reduction=4)
