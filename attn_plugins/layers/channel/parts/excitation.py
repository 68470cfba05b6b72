"""Excitations: from the descriptor (N, C), or (N, C, K) with K values per channel, to logits; the gate comes after.

An excitation gives one logit per channel, (N, C), or M of them, (N, C, M), whose gates multiply. Excitations that can
read K values have the option `features`, which `ChannelAttention` fills in. They compute in the precision of their
parameters.
"""

import inspect

import torch
import torch.fx
from torch import Tensor, nn

from attn_plugins.registry import EXCITATIONS, build_part


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


@EXCITATIONS.register_module('instance_enhance')
class InstanceEnhanceExcitation(nn.Module):
    """The instance enhancement of IEBN, e_c = w_c z_c + b_c, from w = 0 and b = -1. Parameters: 2 C.

    Args:
        in_channels (int): C.
    """

    def __init__(self, in_channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(in_channels))
        self.bias = nn.Parameter(torch.empty(in_channels))
        self.init_weights()

    def init_weights(self) -> None:
        """Initialises as published: weight 0, bias -1."""
        nn.init.zeros_(self.weight)
        nn.init.constant_(self.bias, -1)

    def forward(self, descriptor: Tensor) -> Tensor:
        """(N, C) -> (N, C)."""
        return self.weight * descriptor + self.bias
