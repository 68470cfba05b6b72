"""Finds the places that an entry of `plugins=` names."""

from typing import NamedTuple

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from attn_plugins.insertion.errors import InsertionError
from attn_plugins.insertion.positions import LEVELS, POSITIONS, of_class
from attn_plugins.insertion.tree import Node, matching, walk
from attn_plugins.registry import nearest

# Norms of projection shortcuts, by the names that OpenMMLab gives the shortcut.
SHORTCUTS = {'downsample', 'shortcut'}


class Target(NamedTuple):
    """A place for a layer: the host's module there, the side, and the stage it belongs to."""

    node: Node
    side: str
    stage: str


def by_position(host: nn.Module, position: str, stages: tuple | None = None) -> list[Target]:
    """Places of a named position in the stages that are switched on.

    A stage is the module that holds the blocks (`layer3`, `layers.3`); each level of an FPN is a stage.

    Raises:
        InsertionError: The host has no such position, or `stages` does not have one value per stage.
    """
    nodes = list(walk(host))
    targets, known = [], set()
    by_name = {node.name: node for node in nodes}
    for block in [Node('', host, None, None), *nodes]:
        for name, list_name in of_class(block.module, LEVELS).items():
            known.add(name)
            levels = matching(nodes, f'{block.name}.{list_name}.*'.lstrip('.')) if name == position else []
            targets += [Target(level, 'after', level.name) for level in levels]
        places = of_class(block.module, POSITIONS)
        known |= places.keys()
        if position in places and block.name:
            side, find = places[position]
            child = find(block.module)
            if child is not None:
                node = by_name[f'{block.name}.{child}'] if child else block
                targets.append(Target(node, side, block.name.rpartition('.')[0]))
    if position not in known:
        if not known:
            raise InsertionError(
                f'{type(host).__name__} has no named positions: use after=, before= or replace='
            )
        raise InsertionError(
            f'{type(host).__name__} has no position {position!r}: {nearest(position, known)}'
        )
    return _in_stages(host, targets, stages)


def _in_stages(host: nn.Module, targets: list[Target], stages: tuple | None) -> list[Target]:
    if stages is None:
        return targets
    names = list(dict.fromkeys(_stage_names(host, targets)))
    if len(stages) != len(names):
        raise InsertionError(
            f'stages={tuple(stages)} has {len(stages)} values but {type(host).__name__} has '
            f'{len(names)} stages: {", ".join(names)}'
        )
    on = {name for name, switch in zip(names, stages, strict=True) if switch}
    return [target for target in targets if target.stage in on]


def _stage_names(host: nn.Module, targets: list[Target]) -> list[str]:
    """All stages in order, also those without the position (a first stage without expansion)."""
    blocks = [node.name.rpartition('.')[0] for node in walk(host) if of_class(node.module, POSITIONS)]
    return blocks or [target.stage for target in targets]


def by_glob(host: nn.Module, pattern: str, side: str) -> list[Target]:
    """Modules whose name matches a glob.

    Raises:
        InsertionError: None does.
    """
    nodes = list(walk(host))
    found = matching(nodes, pattern)
    if not found:
        raise InsertionError(
            f'nothing in {type(host).__name__} matches {pattern!r}: '
            f'{nearest(pattern.replace("*", ""), (node.name for node in nodes))}'
        )
    return [Target(node, side, node.name.split('.')[0]) for node in found]


def norms(host: nn.Module, which: str) -> list[Node]:
    """Batch norms of the host: 'all', 'main' (all but those of projection shortcuts), or a glob.

    Raises:
        InsertionError: There is none.
    """
    nodes = [node for node in walk(host) if isinstance(node.module, _BatchNorm)]
    if which == 'main':
        found = [node for node in nodes if not SHORTCUTS & set(node.name.split('.'))]
    else:
        found = nodes if which == 'all' else matching(nodes, which)
    if not found:
        raise InsertionError(
            f"no batch norm of {type(host).__name__} matches norm={which!r}: use 'main', 'all' or a "
            f'glob; it has {", ".join(node.name for node in nodes[:3]) or "none"}'
        )
    return found
