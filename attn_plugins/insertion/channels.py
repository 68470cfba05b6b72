"""Finds how many channels the map at a place in a host has."""

import logging

from mmengine.logging import print_log
from torch import nn

from attn_plugins.errors import InsertionError
from attn_plugins.insertion.locate import InsertionPoint
from attn_plugins.insertion.shapes import Shapes, in_words
from attn_plugins.insertion.tree import Node


def channels_at(host: nn.Module, target: InsertionPoint, own: int | None, shapes: Shapes) -> int:
    """Finds the number of channels of the map at a place.

    It is the config's `in_channels` if given, else what a forward pass has shown, else what the module itself declares.

    Args:
        host (nn.Module): The host.
        target (InsertionPoint): The place.
        own (int, optional): The config's `in_channels`.
        shapes (Shapes): What a forward pass of the host has shown.

    Raises:
        InsertionError: There is no map, the module does not run, nothing tells its channels, or the config's word is
            wrong.
    """
    node, side = target.node, 'after' if target.side == 'after' else 'before'
    seen = shapes.at(node.name)
    if seen is not None and seen.calls > 1:
        print_log(
            f'{node.name} runs {seen.calls} times in a forward of {type(host).__name__}, and so does the layer there',
            logger='current',
            level=logging.WARNING,
        )
    what = None if seen is None else getattr(seen, side)
    if own is not None:
        if isinstance(what, int) and what != own:
            raise InsertionError(
                f'in_channels={own} in the cfg is not what {type(host).__name__} has at {node.name}, {what} '
                'channels: leave it out, the channels are read from the host'
            )
        return own
    if isinstance(what, int):
        if target.side == 'replace' and seen.after == what and not seen.keeps_size:
            raise InsertionError(f'{node.name} changes the size of the map: what takes its place keeps it')
        if target.side == 'replace' and seen.after != what:
            raise InsertionError(
                f'{node.name} makes {in_words(seen.after)} from {what} channels: what takes its place keeps '
                'the channels'
            )
        return what
    if what is not None:
        hint = (
            ", or position='level_output' of the backbone or neck itself" if isinstance(what, tuple) else ''
        )
        verb = 'hands on' if side == 'after' else 'is given'
        raise InsertionError(f'{node.name} {verb} {in_words(what)}: a layer needs one map (N, C, H, W){hint}')
    if shapes.complete or isinstance(node.module, (nn.ModuleList, nn.ModuleDict)):
        raise InsertionError(
            f'{node.name} is not called in a forward of {type(host).__name__}, so a layer there would never '
            'run: choose a module that is, or give in_channels in the cfg if it is called in training'
        )
    found = _static(node, side)
    if found is None:
        raise InsertionError(
            f'the channels at {node.name} cannot be read from the host: give in_channels in the cfg'
        )
    return found


def _static(node: Node, side: str) -> int | None:
    """Reads the channels that a module declares itself, as a convolution, norm or linear layer does; else None."""
    names = ('in_channels', 'num_features') if side == 'before' else ('out_channels', 'num_features')
    values = [getattr(node.module, name, None) for name in names]
    return next((value for value in values if isinstance(value, int)), None)
