"""Looks up what a host declares: its positions, stages and levels."""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec

from torch import nn

# 'after PATH' or 'before PATH' from a block ('.' is the block itself), or a function that finds this text for a block.
Location = str | Callable[[nn.Module], str | None]
# Globs over the names of a host's modules, or a function that lists the modules of each stage.
Stages = tuple[str, ...] | Callable[[nn.Module], list[tuple[str, ...]]]


# The attribute by which a class declares its positions, and the table for classes without the attribute.
ATTRIBUTES = {'attn_positions': 'BLOCKS', 'attn_stages': 'STAGES', 'attn_levels': 'LEVELS'}


def declared(module: nn.Module, attribute: str):
    """Finds the declaration of the nearest class of a module, by its own attribute or in its library's table.

    It is empty if no class declares anything.

    Args:
        module (nn.Module): A block, backbone or neck.
        attribute (str): 'attn_positions', 'attn_stages' or 'attn_levels'; its value is as in BLOCKS, STAGES, LEVELS.
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
