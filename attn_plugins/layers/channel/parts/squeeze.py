"""Squeezes: what channel attention knows about a map, (N, C, H, W) -> descriptor (N, C) or (N, C, K).

None has parameters. `features` is K, the values per channel. A squeeze names the statistics of the map that it needs
(`ops/statistics.py`) and computes the descriptor from their values. One with `strips` gives a descriptor per row and
column instead."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from attn_plugins.compat import strict_zip
from attn_plugins.ops.statistics import (
    Maximum,
    Mean,
    Statistic,
)
from attn_plugins.registry import SQUEEZES, build_part


class Squeeze(nn.Module):
    """What squeezes share: one value per channel, any number of channels.

    Args:
        in_channels (int): Channels of the map.
        statistics (Statistic): The statistics of the map that it needs.
    """

    features = 1
    strips = False

    def __init__(self, in_channels: int, *statistics: Statistic):
        super().__init__()
        self.statistics = statistics
        if not (statistics or self.strips):
            raise ValueError(
                f'{type(self).__name__} names no statistic of the map: give super().__init__ those of '
                'ops/statistics.py that its forward reads'
            )
        self.values = sum(statistic.number for statistic in statistics)

    def constants(self) -> tuple[Tensor, ...]:
        """Returns the tensors that the statistics need beside the map."""
        return ()

    def forward(self, value: Tensor) -> Tensor:
        """Computes the descriptor from the values of the statistics, (N, C) each -> (N, C) or (N, C, K)."""
        return value


@SQUEEZES.register_module('mean')
class MeanSqueeze(Squeeze):
    """Global average pooling, z_nc = 1/(H W) sum_hw x_nchw (SE, ECA).

    Args:
        in_channels (int): Channels of the map; any number works.
    """

    def __init__(self, in_channels: int):
        super().__init__(in_channels, Mean())


@SQUEEZES.register_module('max')
class MaxSqueeze(Squeeze):
    """Global max pooling, z_nc = max_hw x_nchw (CBAM's second squeeze).

    Args:
        in_channels (int): Channels of the map; any number works.
    """

    def __init__(self, in_channels: int):
        super().__init__(in_channels, Maximum())


@SQUEEZES.register_module('strips')
class StripsSqueeze(Squeeze):
    """The strips of Coordinate Attention: the mean of each row and of each column, a descriptor for each of them.

    The excitation reads them one by one, H + W per sample, and the map is multiplied by a gate per row and one per
    column.

    Args:
        in_channels (int): Channels of the map; any number works.
    """

    strips = True

    def __init__(self, in_channels: int):
        super().__init__(in_channels)
        self.values = 2

    def forward(self, rows: Tensor, columns: Tensor) -> Tensor:
        """(N, C, H, 1) and (N, C, 1, W) -> (N (H + W), C), rows first."""
        return torch.cat([rows[..., 0], columns[:, :, 0]], 2).transpose(1, 2).flatten(0, 1)


@SQUEEZES.register_module('stack')
class StackSqueeze(Squeeze):
    """Several squeezes side by side, one descriptor with the values of all for one excitation.

    (A list as `squeeze=` is something else: the excitation reads each in turn and the logits are added.)

    Args:
        in_channels (int): Channels of the map.
        squeezes (list): Names or configs of squeezes.
    """

    def __init__(self, in_channels: int, squeezes: Sequence[str | dict] = ('mean', 'max')):
        parts = [build_part(cfg, SQUEEZES, in_channels=in_channels) for cfg in squeezes]
        check_strips(parts)
        super().__init__(in_channels, *(statistic for part in parts for statistic in part.statistics))
        self.squeezes = nn.ModuleList(parts)
        self.features = sum(squeeze.features for squeeze in self.squeezes)
        if self.features < 2:
            raise ValueError(
                f'stack of squeezes={list(squeezes)} needs at least two values: name the squeezes to stack'
            )

    def constants(self) -> tuple[Tensor, ...]:
        """Returns the constants of all stacked squeezes."""
        return tuple(constant for squeeze in self.squeezes for constant in squeeze.constants())

    def forward(self, *values: Tensor) -> Tensor:
        """(N, C) each -> (N, C, K)."""
        parts = strict_zip(read_all(self.squeezes, values), self.squeezes)
        return torch.cat([part[:, :, None] if squeeze.features == 1 else part for part, squeeze in parts], 2)


def read_all(squeezes: Sequence[Squeeze], values: Sequence[Tensor]) -> list[Tensor]:
    """Computes the descriptors of several squeezes from the concatenated values of all their statistics."""
    if len(squeezes) == 1:
        return [squeezes[0](*values)]
    descriptors, start = [], 0
    for squeeze in squeezes:
        descriptors.append(squeeze(*values[start : start + squeeze.values]))
        start += squeeze.values
    return descriptors


def check_strips(squeezes: Sequence[Squeeze]) -> None:
    """Raises a ValueError if descriptors of strips would be combined with others."""
    if len(squeezes) > 1 and any(squeeze.strips for squeeze in squeezes):
        raise ValueError(
            "the squeeze 'strips' gives a descriptor per row and column and stands alone: take the others out"
        )
