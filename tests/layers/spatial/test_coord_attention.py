"""CoordAttention: count, start, bad input."""

import pytest

from tests.layers.helpers import assert_takes_its_map_by_keyword, count, make
from tests.layers.starts import assert_start, kaiming, plain_norm


@pytest.mark.parametrize(
    'options, number',
    [
        (dict(in_channels=64), (64 * 8 + 8) + 2 * 8 + 2 * (8 * 64 + 64)),
        (dict(in_channels=960), (960 * 30 + 30) + 2 * 30 + 2 * (30 * 960 + 960)),
        (dict(in_channels=960, axes='h', reduction=24), (960 * 40 + 40) + 2 * 40 + (40 * 960 + 960)),
    ],
)
def test_parameter_counts_are_the_papers(options, number):
    assert count('CoordAttention', **options) == number


def test_start():
    """houqb/CoordAttention: mbv2_ca.py."""
    assert_start(
        'CoordAttention',
        {
            'conv1.weight': kaiming(16),
            'conv1.bias': 0,
            **plain_norm('norm'),
            'conv_h.weight': kaiming(64),
            'conv_h.bias': 0,
            'conv_w.weight': kaiming(64),
            'conv_w.bias': 0,
        },
        in_channels=64,
        reduction=4,
    )


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(axes='x'), "axes='x' must be one of hw, h, w"),
    ],
)
def test_options_that_cannot_work_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make('CoordAttention', **{'in_channels': 32, **options})


def test_a_map_by_keyword_is_checked_and_compiles():
    assert_takes_its_map_by_keyword('CoordAttention')
