"""Convolutions of this package in the place of a host's: they take its sizes."""

from torch import nn

from attn_plugins.insertion.errors import InsertionError
from attn_plugins.insertion.targets import Target
from attn_plugins.layers.conv.base import ConvLike
from attn_plugins.registry import MODELS


def is_conv(cfg: dict) -> bool:
    """Whether a config is one of this package's convolutions."""
    cls = MODELS.get(cfg['type']) if isinstance(cfg.get('type'), str) else cfg.get('type')
    return isinstance(cls, type) and issubclass(cls, ConvLike)


def in_place_of(target: Target, cfg: dict, word: str) -> tuple[dict, dict]:
    """The config with the host's groups and bias unless it has its own, and the sizes that the host's convolution fixes.

    Raises:
        InsertionError: What is replaced is no convolution, or nothing is replaced.
    """
    if word != 'replace':
        raise InsertionError(
            f"{cfg['type']} is a convolution: say which of the host's it replaces, as replace='layer3.*.conv2'"
        )
    conv = target.node.module
    if not isinstance(conv, nn.Conv2d):
        raise InsertionError(
            f'{cfg["type"]} is a convolution and {target.node.name} is of type {type(conv).__name__}: choose a '
            'convolution with replace='
        )
    fixed = ('in_channels', 'out_channels', 'kernel_size', 'stride', 'padding', 'dilation')
    return dict(groups=conv.groups, bias=conv.bias is not None) | cfg, {
        name: getattr(conv, name) for name in fixed
    }
