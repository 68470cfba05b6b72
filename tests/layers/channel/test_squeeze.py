"""Squeezes: formulas in float64."""

import pytest
import torch

from attn_plugins.layers.channel.parts.squeeze import Squeeze
from attn_plugins.ops.channel_gating import ChannelGating
from attn_plugins.registry import SQUEEZES
from tests.layers.helpers import MAPS, random_map


def descriptor(squeeze: Squeeze, x: torch.Tensor) -> torch.Tensor:
    """By the formulas of its statistics, to which what is measured in fewer passes is compared."""
    gating = ChannelGating(squeeze.statistics)
    values = gating.squeeze(x, *squeeze.constants())
    for fast, value in zip(gating.squeeze_saving(x, *squeeze.constants())[0], values, strict=True):
        torch.testing.assert_close(fast, value)
    return squeeze(*values)


@pytest.mark.parametrize('height, width', MAPS)
def test_squeezes_are_their_formulas(height, width):
    x = random_map(2, 4, height, width)
    places = x.flatten(2)
    mean = places.sum(2) / (height * width)
    squares = (places - mean[:, :, None]).square().sum(2)
    expected = {
        'l1': places.abs().sum(2),
        'l2': (places.square().sum(2) + 1e-5).sqrt(),
        'std': (squares / max(height * width - 1, 1) + 1e-5).sqrt(),
    }
    for name, value in expected.items():
        torch.testing.assert_close(descriptor(SQUEEZES.build(dict(type=name, in_channels=4)), x), value)
    biased = (squares / (height * width) + 1e-3).sqrt()
    both = descriptor(SQUEEZES.build(dict(type='mean_std', in_channels=4, unbiased=False, eps=1e-3)), x)
    torch.testing.assert_close(both, torch.stack([mean, biased], 2))
    stack = SQUEEZES.build(dict(type='stack', in_channels=4, squeezes=['l1', 'mean_std', 'max']))
    assert stack.features == 4
    expected = torch.stack([expected['l1'], mean, expected['std'], places.max(2)[0]], 2)
    torch.testing.assert_close(descriptor(stack, x), expected)


def test_norms_of_half_precision_do_not_overflow():
    x = torch.full((1, 2, 64, 64), 300.0, dtype=torch.float16)
    for name, expected in (('l1', 300.0 * 4096), ('l2', 300.0 * 64)):
        z = descriptor(SQUEEZES.build(dict(type=name, in_channels=2)), x)
        assert z.dtype == torch.float32
        torch.testing.assert_close(z, torch.full((1, 2), expected))


def test_a_squeeze_that_measures_nothing_is_refused():
    class Own(Squeeze):
        def forward(self, x):
            return x.mean((2, 3))

    with pytest.raises(ValueError, match='Own names no statistic of the map'):
        Own(8)
