"""Channel attention composed from a squeeze, an excitation and a gate; the named methods are such compositions."""

import inspect
from collections.abc import Sequence

import torch
import torch.fx
from torch import Tensor, nn

from attn_plugins.layers.channel.parts.gate import build_gate
from attn_plugins.layers.channel.parts.squeeze import check_strips, read_all
from attn_plugins.layers.layer import Layer
from attn_plugins.layers.place import Place
from attn_plugins.layers.recurrent import recurrent_parts
from attn_plugins.ops.channel_gating import ChannelGating
from attn_plugins.ops.gating import gated
from attn_plugins.ops.recalibrate import multiply_gates
from attn_plugins.ops.strip_gating import StripGating, split_strips
from attn_plugins.registry import EXCITATIONS, MODELS, SQUEEZES, build_part

# A symbolic trace must not look inside this function: it reads the number of axes.
torch.fx.wrap('multiply_gates')

# A part that one method introduced is in that method's file: 'fc' in se.py, 'dct' in fca.py. The others are in parts/.


def build_excitation(cfg: str | dict, in_channels: int, features: int) -> nn.Module:
    """Builds an excitation for descriptors (N, C), or (N, C, K) with K = `features` > 1.

    Raises:
        ValueError: The type or an option does not exist, or the excitation reads one value per channel only.
    """
    if features == 1:
        return build_part(cfg, EXCITATIONS, in_channels=in_channels)
    name = cfg if isinstance(cfg, str) else cfg.get('type')
    cls = EXCITATIONS.get(name) if isinstance(name, str) else name
    if cls is not None and not _reads_several(cls):
        able = sorted(key for key, part in EXCITATIONS.module_dict.items() if _reads_several(part))
        raise ValueError(
            f'the squeeze gives {features} values per channel but the excitation {name!r} reads one: '
            f'choose from {", ".join(able)}'
        )
    return build_part(cfg, EXCITATIONS, in_channels=in_channels, features=features)


def _reads_several(excitation: type) -> bool:
    return 'features' in inspect.signature(excitation).parameters


@EXCITATIONS.register_module('identity')
class IdentityExcitation(nn.Module):
    """e = z: the descriptor is the logit (GE without parameters). Parameters: none.

    Args:
        in_channels (int): C.
    """

    def __init__(self, in_channels: int):
        super().__init__()

    def init_weights(self) -> None:
        """Does nothing: there are no parameters."""

    def forward(self, descriptor: Tensor) -> Tensor:
        """(N, C) -> (N, C)."""
        return descriptor


@MODELS.register_module()
class ChannelAttention(Layer):
    """Any squeeze, any excitation and any gate: one gate per sample and channel.

    Equation:
        y = x * gate(excitation(squeeze(x)))
        y = x * gate(sum_i excitation(squeeze_i(x)))    with several squeezes
        y = x * prod_m gate(e_m)                        with several logits e_m per channel

    With several squeezes the one excitation reads each of them and the logits are added (CBAM's channel gate); 'lstm'
    has a state for each of them. A squeeze may give several values per channel ('mean_std', 'stack'). With several
    logits per channel ('switch') each has its gate and the gates multiply.

    The squeeze 'strips' gives a descriptor per row and per column; the excitation reads each and
    y_chw = x_chw * g_ch * g'_cw with the gates of row h and of column w.

    Parameters: those of the excitation.

    Deviations: None known. The layer itself is no published method; those made of it state theirs.

    Args:
        in_channels (int): C.
        squeeze (str, dict or list): 'mean', 'max', 'std', 'mean_std', 'l1', 'l2', 'dct', 'stack', 'strips', a config of
            one with options, or a list of them.
        excitation (str or dict): 'fc', 'conv1d', 'instance_enhance', 'style', 'normalized_scale', 'lstm', 'switch',
            'identity', or a config of one with options.
        gate (str or dict): 'sigmoid', 'hard_sigmoid', 'tanh', 'one_plus_tanh', 'softmax' or 'identity'; or a control,
            as dict(type='mean_over_images', gate='sigmoid') or dict(type='shuffled_images', gate='sigmoid').

    Raises:
        ValueError: A part or an option does not exist, or leaves no channel.
    """

    _abbr_ = 'attn_channel'
    place = Place(
        'After the last norm of every residual block, before the addition. The place of SE.',
        plugins=[dict(position='after_conv3')],
    )
    examples = [
        dict(squeeze=['mean', 'max'], excitation='conv1d', gate='hard_sigmoid'),
        dict(
            squeeze=dict(
                type='stack', squeezes=['max', 'mean_std', 'l2', dict(type='dct', frequencies='low2')]
            ),
            excitation=dict(type='switch', excitations=[dict(type='fc', reduction=4), 'conv1d']),
            gate='one_plus_tanh',
        ),
        dict(squeeze='strips', excitation=dict(type='switch', excitations=['style', 'conv1d'])),
        dict(squeeze='mean_std', excitation=dict(type='lstm', reduction=4), gate='identity'),
        dict(squeeze=['std', 'l1'], excitation='instance_enhance', gate='softmax'),
    ]

    def __init__(
        self,
        in_channels: int,
        squeeze: str | dict | Sequence = 'mean',
        excitation: str | dict = 'fc',
        gate: str | dict = 'sigmoid',
    ):
        super().__init__(in_channels)
        squeezes = [squeeze] if isinstance(squeeze, (str, dict)) else squeeze
        self.squeezes = nn.ModuleList(build_part(cfg, SQUEEZES, in_channels=in_channels) for cfg in squeezes)
        check_strips(self.squeezes)
        self.strips = self.squeezes[0].strips
        self.gating = (
            StripGating('hw')
            if self.strips
            else ChannelGating([part for squeeze in self.squeezes for part in squeeze.statistics])
        )
        self.has_constants = bool(self._constants())
        features = {squeeze.features for squeeze in self.squeezes}
        if len(features) != 1:
            raise ValueError(
                f'squeeze={squeeze!r} gives {sorted(features)} values per channel, but one excitation reads all: '
                "join them with dict(type='stack', squeezes=[...])"
            )
        self.excitation = build_excitation(excitation, in_channels, features.pop())
        for part in recurrent_parts(self.excitation):
            part.sequences = len(self.squeezes)
        self.gate = build_gate(gate, in_channels)
        if self.strips and getattr(self.gate, 'over_images', False):
            raise ValueError(
                f"gate={gate!r} with squeeze='strips': the gates of rows and columns are of places, not of whole images"
            )
        self.init_weights()

    def init_weights(self) -> None:
        """Restores the initialisation of the excitation, the only part with parameters."""
        self.excitation.init_weights()

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        return gated(self.gating, x, self._gates, *(self._constants() if self.has_constants else ()))

    def _constants(self) -> list[Tensor]:
        return [constant for squeeze in self.squeezes for constant in squeeze.constants()]

    def _gates(self, *values: Tensor) -> tuple[Tensor, ...]:
        """Computes a gate per channel, or the gates of the strips, from the values of the squeezes' statistics."""
        first, *others = read_all(self.squeezes, values)
        logits = self.excitation(first)
        for descriptor in others:
            logits = logits + self.excitation(descriptor)
        gates = multiply_gates(self.gate(logits))
        return split_strips(gates, *values) if self.strips else (gates,)
