"""The vocabulary of positions: named places in the blocks of OpenMMLab's hosts.

    Bottleneck        x - conv1 norm1 relu | conv2 norm2 relu | conv3 norm3 | + x, relu |
                                  after_conv1       after_conv2   after_conv3   block_output
    BasicBlock        x - conv1 norm1 relu | conv2 norm2 | + x, relu |
                                  after_conv1   after_conv2   block_output
    InvertedResidual  x - expand | depthwise | linear | + x |      each with its norm and activation
                      after_expand  after_depthwise  after_linear  block_output
    FPN               lateral convs | output convs |      one of each per level
                          lateral_output   fpn_output

after_conv1 and after_conv2 mean the same as in mmdet's and mmseg's own `plugins=`.
"""

from collections.abc import Callable

from torch import nn


def _block(block: nn.Module) -> str:
    return ''


def _child(name: str) -> Callable[[nn.Module], str | None]:
    return lambda block: name if hasattr(block, name) else None


def _norm(index: int) -> Callable[[nn.Module], str | None]:
    return lambda block: getattr(block, f'norm{index}_name', None)


def _conv_module(name: str, index: int) -> Callable[[nn.Module], str | None]:
    """mmdet's inverted residual names its convs; mmpretrain's and mmseg's number them, the first may be missing."""

    def find(block: nn.Module) -> str | None:
        if hasattr(block, name):
            return name
        convs = getattr(block, 'conv', None)
        if isinstance(convs, nn.Sequential) and len(convs) >= index:
            return f'conv.{len(convs) - index}'
        return None

    return find


# Class of the block (or of one of its bases) -> position -> (side, how the child is found in a block).
POSITIONS = {
    'Bottleneck': {
        'after_conv1': ('before', _child('conv2')),
        'after_conv2': ('before', _child('conv3')),
        'after_conv3': ('after', _norm(3)),
        'block_output': ('after', _block),
    },
    'BasicBlock': {
        'after_conv1': ('before', _child('conv2')),
        'after_conv2': ('after', _norm(2)),
        'block_output': ('after', _block),
    },
    'InvertedResidual': {
        'after_expand': ('after', _conv_module('expand_conv', 3)),
        'after_depthwise': ('after', _conv_module('depthwise_conv', 2)),
        'after_linear': ('after', _conv_module('linear_conv', 1)),
        'block_output': ('after', _block),
    },
}

# Hosts whose places are lists of modules, one per level: class -> position -> name of the list.
LEVELS = {'FPN': {'lateral_output': 'lateral_convs', 'fpn_output': 'fpn_convs'}}


def of_class(module: nn.Module, table: dict) -> dict:
    """The entry of a table for a module's class or the nearest of its bases; empty if there is none."""
    return next((table[cls.__name__] for cls in type(module).__mro__ if cls.__name__ in table), {})
