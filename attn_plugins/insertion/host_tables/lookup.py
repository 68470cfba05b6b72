"""Looks up what a host declares: its positions, stages and levels."""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec

from torch import nn

# 'after PATH' or 'before PATH' from a block, '.' being the block itself, or what finds it in a block.
Place = str | Callable[[nn.Module], str | None]
# Globs over the names of a host's modules, or what lists the modules of each stage.
Stages = tuple[str, ...] | Callable[[nn.Module], list[tuple[str, ...]]]


# What a host declares by an attribute of its own, and the table that stands for those that do not.
ATTRIBUTES = {'attn_positions': 'BLOCKS', 'attn_stages': 'STAGES', 'attn_levels': 'LEVELS'}


def declared(module: nn.Module, attribute: str):
    """Finds what the nearest class of a module declares: by an attribute of its own, or in its library's table; empty
    if none does.

    Args:
        module (nn.Module): A block, backbone or neck.
        attribute (str): 'attn_positions', 'attn_stages' or 'attn_levels'; what it holds is as in BLOCKS, STAGES,
            LEVELS.
    """
    for cls in type(module).__mro__:
        if attribute in cls.__dict__:
            return cls.__dict__[attribute]
        table = tables_of(cls.__module__.partition('.')[0]).get(ATTRIBUTES[attribute], {})
        if (name := f'{cls.__module__}.{cls.__qualname__}') in table:
            return table[name]
    return {}


@cache
def tables_of(library: str) -> dict:
    """Reads the file of a library in this folder; empty if there is none."""
    name = f'{__package__}.{library}'
    return vars(import_module(name)) if library.isidentifier() and find_spec(name) else {}


def places(block: nn.Module) -> dict[str, str]:
    """Finds where the positions of a block are: position -> 'after PATH' or 'before PATH'."""
    found = {
        position: place(block) if callable(place) else place
        for position, place in declared(block, 'attn_positions').items()
    }
    return {position: place for position, place in found.items() if place}
