"""Convolutions of this package in the place of a host's: they take its sizes."""

import mmcv.cnn
from torch import nn

from attn_plugins.errors import InsertionError
from attn_plugins.insertion.locate import Target
from attn_plugins.insertion.tree import walk

SIZES = ('in_channels', 'out_channels', 'kernel_size', 'stride', 'padding', 'dilation')


def sizes_of(target: Target, cfg: dict, name: str) -> tuple[dict, dict]:
    """The config with the host's groups and bias unless it has its own, and the sizes that the host's convolution fixes.

    Raises:
        InsertionError: What is replaced is no plain convolution.
    """
    conv = target.node.module
    if not isinstance(conv, nn.Conv2d):
        raise InsertionError(
            f'{name} is a convolution and {target.node.name} is of type {type(conv).__name__}: choose a '
            'convolution with replace='
        )
    if type(conv) not in (nn.Conv2d, mmcv.cnn.bricks.wrappers.Conv2d) or conv.padding_mode != 'zeros':
        kind = (
            type(conv).__name__
            if conv.padding_mode == 'zeros'
            else f'convolution padded by {conv.padding_mode}'
        )
        raise InsertionError(
            f'{target.node.name} is a {kind}, which pads or weighs in its own way: {name} takes the place of a plain '
            'nn.Conv2d only'
        )
    if isinstance(conv.padding, str):
        raise InsertionError(f'{target.node.name} has padding={conv.padding!r}: {name} needs a number')
    return dict(groups=conv.groups, bias=conv.bias is not None) | cfg, {
        size: getattr(conv, size) for size in SIZES
    }


def check_all_shared(host: nn.Module, targets: list[Target]) -> None:
    """Refuses to replace one convolution at some of its places only, which would take it from the others.

    Raises:
        InsertionError: The host has it at other places too.
    """
    conv = targets[0].node.module
    names = {node.name for node in walk(host) if node.module is conv}
    if left := names - {target.node.name for target in targets}:
        raise InsertionError(
            f'{targets[0].node.name} is one module with {", ".join(sorted(left)[:3])}: replace them all, or none'
        )
