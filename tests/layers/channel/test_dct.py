"""The squeeze to DCT coefficients: rankings and the lowest frequency."""

import pytest
import torch

from attn_plugins.layers.channel.fca import frequency_pairs
from attn_plugins.registry import SQUEEZES
from tests.layers.channel.test_squeeze import descriptor


def test_the_lowest_frequency_is_the_mean():
    squeeze = SQUEEZES.build(dict(type='dct', in_channels=8, frequencies='low1', dct_size=9))
    x = torch.randn(2, 8, 9, 9)
    torch.testing.assert_close(descriptor(squeeze, x), 9 * x.mean((2, 3)))


@pytest.mark.parametrize('ranking', ['top', 'low', 'bot'])
def test_rankings_hold_32_frequencies_each_once(ranking):
    pairs = frequency_pairs(f'{ranking}32', 64)
    assert len(set(pairs)) == 32 and all(0 <= i < 7 for pair in pairs for i in pair)
    assert frequency_pairs(f'{ranking}4', 64) == pairs[:4]
