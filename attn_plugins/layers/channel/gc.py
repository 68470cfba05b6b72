"""Global Context block of GCNet (Cao et al., ICCV Workshops 2019, arXiv:1904.11492).

Checked against open-mmlab/mmcv a8073c7; xvjiarui/GCNet 029db54 has the same structure.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from attn_plugins.layers.layer import Layer
from attn_plugins.layers.place import Place
from attn_plugins.ops.context_gating import ContextGating
from attn_plugins.ops.gating import gated
from attn_plugins.registry import MODELS, nearest

POOLINGS = ('att', 'avg')
FUSIONS = ('channel_add', 'channel_mul')


class Transform(nn.Module):
    """W2 relu(LN(W1 z + b1)) + b2.

    Args:
        in_channels (int): C.
        hidden (int): p.
    """

    def __init__(self, in_channels: int, hidden: int):
        super().__init__()
        self.fc1 = nn.Linear(in_channels, hidden)
        self.norm = nn.LayerNorm(hidden)
        self.fc2 = nn.Linear(hidden, in_channels)

    def init_weights(self) -> None:
        """Initialises as published: the last layer starts at zero, the others at torch's default."""
        self.fc1.reset_parameters()
        self.norm.reset_parameters()
        nn.init.zeros_(self.fc2.weight)
        nn.init.zeros_(self.fc2.bias)

    def forward(self, descriptor: Tensor) -> Tensor:
        """(N, C) -> (N, C)."""
        return self.fc2(torch.relu(self.norm(self.fc1(descriptor))))


@MODELS.register_module()
class GC(Layer):
    """Global context: one descriptor of the whole map, pooled with attention, added to every place.

    Equation:
        y = x + T(z)
        z = sum_hw softmax_hw(w x + b) x
        T(z) = W2 relu(LN(W1 z + b1)) + b2

    With `fusion_types=['channel_mul']` y = x * sigmoid(T(z)), with both y = x * sigmoid(T_mul(z)) + T_add(z). With
    `pooling_type='avg'` z is the mean over space. It starts as the identity with 'channel_add' alone, with
    'channel_mul' at a gate of 1/2.

    Parameters: 2 C p + 3 p + 2 C + 1 with p = int(C * ratio) for 'att' and one fusion; 2 C p + 3 p + C per further
    fusion, C + 1 less for 'avg'.

    Deviations: fewer than two hidden channels are refused: mmcv's block crashes at none, and the layer norm of a single
    value is a constant.

    Args:
        in_channels (int): C.
        ratio (float): p / C; the published ones are 1/16 and 1/4.
        pooling_type (str): 'att' or 'avg'.
        fusion_types (list or str): 'channel_add', 'channel_mul' or both.

    Raises:
        ValueError: The ratio leaves too few channels, a word is unknown, no fusion is given.
    """

    _abbr_ = 'attn_gc'
    place = Place(
        'After the last norm of every residual block, before the addition. In the last three stages.',
        plugins=[dict(position='after_conv3', stages=(False, True, True, True))],
        read_in='xvjiarui/GCNet: resnet.py; mmdet: configs/gcnet',
    )
    examples = [
        dict(ratio=1 / 4),
        dict(ratio=1 / 4, pooling_type='avg', fusion_types=['channel_add', 'channel_mul']),
    ]
    official_names = {
        'conv_mask': 'mask',
        'channel_add_conv.0': 'add.fc1',
        'channel_add_conv.1': 'add.norm',
        'channel_add_conv.3': 'add.fc2',
        'channel_mul_conv.0': 'mul.fc1',
        'channel_mul_conv.1': 'mul.norm',
        'channel_mul_conv.3': 'mul.fc2',
    }

    def __init__(
        self,
        in_channels: int,
        ratio: float = 1 / 16,
        pooling_type: str = 'att',
        fusion_types: Sequence[str] | str = ('channel_add',),
    ):
        super().__init__(in_channels)
        fusions = [fusion_types] if isinstance(fusion_types, str) else list(fusion_types)
        if pooling_type not in POOLINGS:
            raise ValueError(f'there is no pooling_type={pooling_type!r}: {nearest(pooling_type, POOLINGS)}')
        for fusion in fusions or ['']:
            if fusion not in FUSIONS:
                raise ValueError(f'there is no fusion in fusion_types={fusions}: {nearest(fusion, FUSIONS)}')
        hidden = int(in_channels * ratio)
        if hidden < 2:
            raise ValueError(
                f'ratio={ratio:g} leaves {hidden} hidden channels for in_channels={in_channels}, and the layer norm '
                f'needs two: choose a ratio of at least {math.ceil(200 / in_channels) / 100:g}'
            )
        self.mask = nn.Conv2d(in_channels, 1, 1) if pooling_type == 'att' else None
        self.add = Transform(in_channels, hidden) if 'channel_add' in fusions else None
        self.mul = Transform(in_channels, hidden) if 'channel_mul' in fusions else None
        self.gating = ContextGating(pooling_type == 'att', 'channel_mul' in fusions, 'channel_add' in fusions)
        self.init_weights()

    def init_weights(self) -> None:
        """Initialises as published: the mask N(0, 2 / C), the last layers zero."""
        if self.mask is not None:
            nn.init.kaiming_normal_(self.mask.weight, mode='fan_in', nonlinearity='relu')
            nn.init.zeros_(self.mask.bias)
        for transform in (self.add, self.mul):
            if transform is not None:
                transform.init_weights()

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        return gated(
            self.gating, x, self._terms, *(() if self.mask is None else (self.mask.weight, self.mask.bias))
        )

    def _terms(self, context: Tensor) -> tuple[Tensor, ...]:
        """Computes the gate and the summand of every channel, (N, C) each, those that are switched on."""
        gate = () if self.mul is None else (torch.sigmoid(self.mul(context)),)
        return gate if self.add is None else (*gate, self.add(context))
