"""CBAM: count, start, bad input."""

import pytest

from tests.layers.helpers import count, make
from tests.layers.starts import assert_start, kaiming, plain_norm, torch_default


@pytest.mark.parametrize(
    'options, number',
    [
        (dict(in_channels=64), 2 * 64 * 4 + 4 + 64 + 98 + 2),
    ],
)
def test_parameter_counts_are_the_papers(options, number):
    assert count('CBAM', **options) == number


def test_start():
    """Jongchan/attention-module: MODELS/model_resnet.py; linear weights are left at torch's default there."""
    assert_start(
        'CBAM',
        {
            **torch_default('channel.excitation.fc1', 64),
            'channel.excitation.fc1.bias': 0,
            **torch_default('channel.excitation.fc2', 16),
            'channel.excitation.fc2.bias': 0,
            'spatial.conv.weight': kaiming(49),
            **plain_norm('spatial.norm', weight=0),
        },
        in_channels=64,
        reduction=4,
    )


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(kernel_size=6), 'kernel_size=6 must be odd'),
    ],
)
def test_options_that_cannot_work_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make('CBAM', **{'in_channels': 32, **options})
