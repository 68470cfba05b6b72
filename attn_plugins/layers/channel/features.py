"""Builds the excitation that fits a descriptor: one value per channel, or several."""

import inspect

from torch import nn

from attn_plugins.registry import EXCITATIONS, build_part


def build_excitation(cfg: str | dict, in_channels: int, features: int) -> nn.Module:
    """An excitation for descriptors (N, C), or (N, C, K) with K = `features` > 1.

    Raises:
        ValueError: The type or an option does not exist, or the excitation reads one value per channel only.
    """
    if features == 1:
        return build_part(cfg, EXCITATIONS, in_channels=in_channels)
    name = cfg if isinstance(cfg, str) else cfg.get('type')
    cls = EXCITATIONS.get(name) if isinstance(name, str) else name
    if cls is not None and 'features' not in inspect.signature(cls).parameters:
        able = [key for key, part in EXCITATIONS.module_dict.items() if _reads_several(part)]
        raise ValueError(
            f'the squeeze gives {features} values per channel but the excitation {name!r} reads one: '
            f'choose from {", ".join(sorted(able))}'
        )
    return build_part(cfg, EXCITATIONS, in_channels=in_channels, features=features)


def _reads_several(excitation: type) -> bool:
    return 'features' in inspect.signature(excitation).parameters
