"""Finds the norms and convolutions of a host that a layer replaces, and refuses those that it cannot replace."""

import mmcv.cnn
from torch import nn

from attn_plugins.compat import BatchNorm
from attn_plugins.errors import InsertionError
from attn_plugins.insertion.identity_start import IdentityStart
from attn_plugins.insertion.locate import InsertionPoint, InsertionPoints, Switches, label
from attn_plugins.insertion.tree import Node, matching, walk
from attn_plugins.layers.norm.base import NormLayer

# Norms of projection shortcuts, by the names that OpenMMLab, torchvision and timm give the shortcut.
SHORTCUTS = {'downsample', 'shortcut', 'proj', 'skip', 'conv_skip'}


def norms(places: InsertionPoints, which: str, stages: Switches | None = None) -> list[Node]:
    """Finds batch norms of maps: 'all', 'main' (all but those of projection shortcuts), or by a glob.

    Args:
        places (InsertionPoints): The positions of the host.
        which (str): Which norms.
        stages (Switches, optional): Limits them to the stages that are switched on, without stem and head.

    Raises:
        InsertionError: There is none, or `stages` does not fit.
    """
    nodes = [node for node in places.nodes if is_norm(node.module)]
    if which in ('main', 'all'):
        found = [node for node in nodes if which == 'all' or not SHORTCUTS & set(node.name.split('.'))]
    else:
        found = matching(nodes, which)
    if found and stages is not None:
        found = _in_stages(places, found, stages)
    if found:
        return found
    name = type(places.host).__name__
    if nodes:
        raise InsertionError(
            f"no batch norm of {name} matches norm={which!r}: use 'main', 'all' or a glob; it has "
            f'{", ".join(node.name for node in nodes[:3])}'
        )
    kinds = {type(node.module).__name__ for node in places.nodes if 'Norm' in type(node.module).__name__}
    raise InsertionError(
        f'{name} has no batch norm, which norm= replaces; its norms are {", ".join(sorted(kinds)) or "none"}'
    )


def is_norm(module: nn.Module) -> bool:
    """Tells whether a module is a batch norm of maps or a norm layer around one."""
    if isinstance(module, IdentityStart):
        return is_norm(module.wrapped)
    return isinstance(module, (BatchNorm, NormLayer)) and not isinstance(
        module, (nn.BatchNorm1d, nn.BatchNorm3d)
    )


def _in_stages(places: InsertionPoints, nodes: list[Node], stages: Switches) -> list[Node]:
    if not places.stages:
        raise InsertionError(
            f'stages= with norm=: {type(places.host).__name__} declares no stages, use a glob'
        )
    names = {label(names): names for _, names in places.stages}
    if len(stages) != len(names) or not all(isinstance(switch, bool) for switch in stages):
        raise InsertionError(
            f'stages={tuple(stages)} with norm= needs a switch for each of the {len(names)} stages: '
            f'{", ".join(names)}'
        )
    on = [name for names, switch in zip(names.values(), stages, strict=True) if switch for name in names]
    return [node for node in nodes if any(node.name.startswith(f'{name}.') for name in on)]


SIZES = ('in_channels', 'out_channels', 'kernel_size', 'stride', 'padding', 'dilation')


def sizes_of(target: InsertionPoint, cfg: dict, name: str) -> tuple[dict, dict]:
    """Returns the config of a replacement convolution, and the sizes that the host's convolution prescribes.

    Groups and bias are the host's unless the config has its own.

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


def check_all_shared(host: nn.Module, targets: list[InsertionPoint]) -> None:
    """Refuses to replace a shared convolution at only some of its places.

    Raises:
        InsertionError: The host has it at other places too.
    """
    conv = targets[0].node.module
    names = {node.name for node in walk(host) if node.module is conv}
    if left := names - {target.node.name for target in targets}:
        raise InsertionError(
            f'{targets[0].node.name} is one module with {", ".join(sorted(left)[:3])}: replace them all, or none'
        )
