"""Frequency channel attention, FcaNet (Qin et al., ICCV 2021, arXiv:2012.11879).

Checked against cfzd/FcaNet aa5fb63.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from attn_plugins.layers.channel.attention import ChannelAttention
from attn_plugins.layers.channel.parts.squeeze import Squeeze
from attn_plugins.layers.place import Place
from attn_plugins.ops.dct import dct_factors
from attn_plugins.ops.statistics import Projection
from attn_plugins.registry import MODELS, SQUEEZES, nearest

# The authors' rankings of the 7 x 7 frequencies, vertical and horizontal index: the best alone, the lowest, the worst.
RANKINGS = {
    'top': '00 01 60 05 02 10 12 40 50 16 30 04 06 03 35 22 46 63 33 53 55 21 61 52 54 32 31 41 23 20 65 13',
    'low': '00 01 10 11 02 20 21 12 22 03 30 40 04 13 31 05 14 23 32 41 50 06 15 24 33 42 51 60 16 25 34 43',
    'bot': '66 14 34 36 26 43 11 24 44 45 56 15 42 62 25 51 64 13 65 20 23 41 31 32 54 52 61 21 55 53 33 63',
}


GRID = 7


def frequency_pairs(frequencies: str | Sequence[Sequence[int]], in_channels: int) -> list[tuple[int, int]]:
    """Lists the (vertical, horizontal) indices on the 7 x 7 grid, one pair per group of channels.

    Raises:
        ValueError: The set does not exist, has frequencies off the grid, or does not divide the channels.
    """
    if isinstance(frequencies, str):
        ranking, number = frequencies[:3], frequencies[3:]
        known = [f'{name}{2**i}' for name in RANKINGS for i in range(6)]
        if ranking not in RANKINGS or not number.isdecimal() or not 1 <= int(number) <= 32:
            raise ValueError(
                f'frequencies={frequencies!r} must be top, low or bot and a number from 1 to 32: '
                f'{nearest(frequencies, known)}'
            )
        pairs = [(int(pair[0]), int(pair[1])) for pair in RANKINGS[ranking].split()[: int(number)]]
    else:
        pairs = [tuple(pair) for pair in frequencies]
        if not pairs or any(len(pair) != 2 or not all(0 <= i < GRID for i in pair) for pair in pairs):
            raise ValueError(f'frequencies={frequencies!r} must be pairs of indices from 0 to {GRID - 1}')
    if in_channels % len(pairs):
        fitting = max(n for n in range(1, len(pairs) + 1) if in_channels % n == 0)
        raise ValueError(
            f'frequencies={frequencies!r}: {len(pairs)} frequencies do not divide in_channels={in_channels}, '
            f'{fitting} would'
        )
    return pairs


@SQUEEZES.register_module('dct')
class DctSqueeze(Squeeze):
    """z_nc = sum_hw x_nchw f_u(h) f_v(w), each group of consecutive channels with its own frequency (u, v).

    f_u(p) = cos(pi u (p + 1/2) / L) / sqrt(L), times sqrt(2) for u > 0. It is a sum, so (0, 0) is sqrt(H W) times the
    mean. A map of another size than `dct_size` counts as average-pooled to it, by pulling the bases back to the map.

    Args:
        in_channels (int): C, divisible by the number of frequencies.
        dct_size (tuple[int] or int): L along height and width, at least 7; indices are multiplied by L // 7.
        frequencies (str or list): 'top', 'low' or 'bot' and a number up to 32 ('top16'), or (u, v) pairs on the
            7 x 7 grid.
    """

    def __init__(
        self,
        in_channels: int,
        dct_size: Sequence[int] | int = (7, 7),
        frequencies: str | Sequence[Sequence[int]] = 'top16',
    ):
        super().__init__(in_channels, Projection())
        size = (dct_size, dct_size) if isinstance(dct_size, int) else tuple(dct_size)
        if len(size) != 2 or min(size) < GRID:
            raise ValueError(
                f'dct_size={dct_size!r} must be one or two sizes of at least {GRID}, the grid of the frequencies'
            )
        pairs = frequency_pairs(frequencies, in_channels)
        self.in_channels = in_channels
        # Both follow from the options, so they are not saved.
        for name, axis in (('rows', 0), ('columns', 1)):
            factors = dct_factors([pair[axis] * (size[axis] // GRID) for pair in pairs], size[axis])
            self.register_buffer(name, factors.to(torch.get_default_dtype()), persistent=False)

    def bases(self) -> Tensor:
        """Computes the bases as the authors' code saves them, one per channel: (C, L_h, L_w)."""
        basis = self.rows[:, :, None] * self.columns[:, None, :]
        return basis.repeat_interleave(self.in_channels // len(basis), 0)

    def constants(self) -> tuple[Tensor, ...]:
        """Returns the factors of the bases, (F, L_h) and (F, L_w)."""
        return self.rows, self.columns


@MODELS.register_module()
class FCA(ChannelAttention):
    """Frequency channel attention: SE with a DCT coefficient of the map in place of its mean.

    Equation:
        y = x * sigmoid(W2 relu(W1 z))
        z_c = sum_hw x_c(h, w) f_u(h) f_v(w)
        f_u(p) = cos(pi u (p + 1/2) / L) / sqrt(L), times sqrt(2) for u > 0

    Each group of C / F consecutive channels is squeezed to its own frequency (u, v) of the two-dimensional DCT
    (`DctSqueeze`), so F divides C. L is `dct_size`.

    Parameters: 2 C m with m = C // reduction; the bases are fixed.

    Deviations: the bases are pulled back to the map instead of pooling the map, the same numbers with a deterministic
    backward; and they are computed, not saved: `load_official` compares the saved ones and refuses others.

    The authors' ResNet has `dct_size` 56, 28, 14, 7 in its four stages, the map's size at 224 x 224. A map of any other
    size counts as adaptively average-pooled to `dct_size`, as in their layer.

    Args:
        in_channels (int): C.
        reduction (int): C // m.
        dct_size (tuple[int] or int): Size of the bases, at least 7.
        frequencies (str or list): 'top', 'low' or 'bot' and a number up to 32, or (u, v) pairs on the 7 x 7 grid.
    """

    _abbr_ = 'attn_fca'
    place = Place(
        'After the last norm of every residual block, before the addition; `dct_size` is the size of the maps of a '
        'stage at 224 x 224.',
        plugins=[
            dict(
                cfg=dict(dct_size=size),
                position='after_conv3',
                stages=tuple(stage == other for other in range(4)),
            )
            for stage, size in enumerate((56, 28, 14, 7))
        ],
        read_in='cfzd/FcaNet: model/fcanet.py',
    )
    examples = [
        dict(reduction=4, frequencies='top8'),
        dict(reduction=4, frequencies='low4', dct_size=(14, 8)),
    ]
    official_names = {'fc.0': 'excitation.fc1', 'fc.2': 'excitation.fc2'}

    def __init__(
        self,
        in_channels: int,
        reduction: int = 16,
        dct_size: Sequence[int] | int = (7, 7),
        frequencies: str | Sequence[Sequence[int]] = 'top16',
    ):
        squeeze = dict(type='dct', dct_size=dct_size, frequencies=frequencies)
        super().__init__(in_channels, squeeze, dict(type='fc', reduction=reduction, bias=False))

    def official_constants(self) -> dict[str, Tensor]:
        """Computes the tensors of the authors' state dict that are not saved here, under their names."""
        return {'dct_layer.weight': self.squeezes[0].bases()}
