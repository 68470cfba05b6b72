"""Squeezes: what channel attention knows about a map, (N, C, H, W) -> descriptor (N, C) or (N, C, K).

None has parameters. `features` is K, the values per channel. One with `strips` gives a descriptor per row and column.
"""

from collections.abc import Sequence

import torch
import torch.fx
from torch import Tensor, nn

from attn_plugins.ops.pool import global_l1, global_l2, global_max, global_mean, global_mean_std, strip_mean
from attn_plugins.registry import SQUEEZES, build_part

# A symbolic trace takes these as they are: they ask for the dtype or the size.
torch.fx.wrap('global_l1')
torch.fx.wrap('global_l2')
torch.fx.wrap('global_mean_std')


class Squeeze(nn.Module):
    """What squeezes share: one value per channel, any number of channels.

    Args:
        in_channels (int): Channels of the map.
    """

    features = 1
    strips = False

    def __init__(self, in_channels: int):
        super().__init__()


@SQUEEZES.register_module('mean')
class MeanSqueeze(Squeeze):
    """Global average pooling, z_nc = 1/(H W) sum_hw x_nchw (SE, ECA).

    Args:
        in_channels (int): Channels of the map; any number works.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C)."""
        return global_mean(x)


@SQUEEZES.register_module('max')
class MaxSqueeze(Squeeze):
    """Global max pooling, z_nc = max_hw x_nchw (CBAM's second squeeze).

    Args:
        in_channels (int): Channels of the map; any number works.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C)."""
        return global_max(x)


@SQUEEZES.register_module('strips')
class StripsSqueeze(Squeeze):
    """The strips of Coordinate Attention: the mean of each row and of each column, a descriptor for each of them.

    The excitation reads them one by one, H + W per sample, and the map is multiplied by a gate per row and one per column.

    Args:
        in_channels (int): Channels of the map; any number works.
    """

    strips = True

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N (H + W), C)."""
        return strip_mean(x)


@SQUEEZES.register_module('l1')
class L1Squeeze(Squeeze):
    """z_nc = sum_hw |x_nchw|, a sum and not a mean (GCT); float32 for a map in half precision, which it would overflow.

    Args:
        in_channels (int): Channels of the map; any number works.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C)."""
        return global_l1(x)


@SQUEEZES.register_module('l2')
class L2Squeeze(Squeeze):
    """z_nc = sqrt(sum_hw x_nchw^2 + eps) (GCT); float32 for a map in half precision, which the squares would overflow.

    Args:
        in_channels (int): Channels of the map; any number works.
        eps (float): Added to the sum.
    """

    def __init__(self, in_channels: int, eps: float = 1e-5):
        super().__init__(in_channels)
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C)."""
        return global_l2(x, self.eps)


@SQUEEZES.register_module('std')
class StdSqueeze(Squeeze):
    """z_nc = sqrt(var_hw(x_nchw) + eps); a 1x1 map has variance 0.

    Args:
        in_channels (int): Channels of the map; any number works.
        eps (float): Added to the variance.
        unbiased (bool): Whether the variance divides by H W - 1 instead of H W.
    """

    def __init__(self, in_channels: int, eps: float = 1e-5, unbiased: bool = True):
        super().__init__(in_channels)
        self.eps = eps
        self.unbiased = unbiased

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C)."""
        return global_mean_std(x, self.eps, self.unbiased)[1]


@SQUEEZES.register_module('mean_std')
class MeanStdSqueeze(StdSqueeze):
    """The style of SRM, z_nc = [mean_hw(x_nchw), sqrt(var_hw(x_nchw) + eps)], in one pass over the map.

    Args:
        in_channels (int): Channels of the map; any number works.
        eps (float): Added to the variance.
        unbiased (bool): Whether the variance divides by H W - 1 instead of H W.
    """

    features = 2

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, 2)."""
        mean, std = global_mean_std(x, self.eps, self.unbiased)
        return torch.stack((mean, std), 2)


@SQUEEZES.register_module('stack')
class StackSqueeze(Squeeze):
    """Several squeezes side by side, one descriptor with the values of all for one excitation.

    (A list as `squeeze=` is something else: the excitation reads each in turn and the logits are added.)

    Args:
        in_channels (int): Channels of the map.
        squeezes (list): Names or configs of squeezes.
    """

    def __init__(self, in_channels: int, squeezes: Sequence[str | dict] = ('mean', 'max')):
        super().__init__(in_channels)
        self.squeezes = nn.ModuleList(build_part(cfg, SQUEEZES, in_channels=in_channels) for cfg in squeezes)
        check_strips(self.squeezes)
        self.features = sum(squeeze.features for squeeze in self.squeezes)
        if self.features < 2:
            raise ValueError(
                f'stack of squeezes={list(squeezes)} needs at least two values: name the squeezes to stack'
            )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, K)."""
        parts = [
            squeeze(x).unsqueeze(2) if squeeze.features == 1 else squeeze(x) for squeeze in self.squeezes
        ]
        return torch.cat(parts, 2)


def check_strips(squeezes: Sequence[Squeeze]) -> None:
    """Raises a ValueError if descriptors of strips would meet others."""
    if len(squeezes) > 1 and any(squeeze.strips for squeeze in squeezes):
        raise ValueError(
            "the squeeze 'strips' gives a descriptor per row and column and stands alone: take the others out"
        )
