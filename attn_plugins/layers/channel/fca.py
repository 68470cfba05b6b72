"""Frequency channel attention, FcaNet (Qin et al., ICCV 2021, arXiv:2012.11879).

Checked against cfzd/FcaNet aa5fb63.
"""

from collections.abc import Sequence

from torch import Tensor

from attn_plugins.layers.channel.attention import ChannelAttention
from attn_plugins.layers.place import Place
from attn_plugins.registry import MODELS


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
        """What the authors' state dict holds but is computed here, under their name."""
        return {'dct_layer.weight': self.squeezes[0].bases()}
