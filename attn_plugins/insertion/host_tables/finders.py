"""Finds modules of a block or host: what the tables' entries are made of."""

from collections.abc import Callable
from itertools import groupby

from torch import nn

from attn_plugins.insertion.containers import Kept, Plug
from attn_plugins.insertion.host_tables.lookup import Place, Stages, places


def children(module: nn.Module, path: str = '') -> dict[str, nn.Module]:
    """The modules right under a path, by their names from `module`, as if nothing had been put in."""
    for name in path.split('.') if path else ():
        module = without_plugs(getattr(module, name))
    prefix = f'{path}.' if path else ''
    return {prefix + name: without_plugs(child) for name, child in module.named_children()}


def without_plugs(module: nn.Module) -> nn.Module:
    while isinstance(module, (Plug, Kept)):
        module = module.wrapped
    return module


def where(holds: Callable[[nn.Module], bool], place: str) -> Place:
    """A place that only the blocks have for which a condition holds."""
    return lambda block: place if holds(block) else None


def if_there(name: str) -> Place:
    return where(lambda block: hasattr(block, name), f'after {name}')


def child(path: str, index: int, kind: type = nn.Module, least: int = 0) -> Place:
    """After one of the children of a Sequential that are of a kind, where there are that many and `least`."""

    def place(block: nn.Module) -> str | None:
        names = [name for name, child in children(block, path).items() if isinstance(child, kind)]
        enough = max(least, index + 1, -index)
        return f'after {names[index]}' if len(names) >= enough else None

    return place


def with_blocks(path: str) -> Stages:
    """Each module under a path that holds blocks."""
    return lambda host: [
        (name,)
        for name, module in children(host, path).items()
        if any(places(child) for child in children(module).values())
    ]


def runs(path: str) -> Stages:
    """The runs of blocks under a path whose outputs have equal channels."""

    def channels(block: tuple[str, nn.Module]) -> int:
        return getattr(block[1], 'out_channels', None) or block[1].linear_conv.out_channels

    def stages(host: nn.Module) -> list[tuple[str, ...]]:
        blocks = [(name, module) for name, module in children(host, path).items() if places(module)]
        return [tuple(name for name, _ in run) for _, run in groupby(blocks, key=channels)]

    return stages


def up_to_pools(path: str) -> Stages:
    """The modules under a path, each pooling the last of its stage."""

    def stages(host: nn.Module) -> list[tuple[str, ...]]:
        runs = [[]]
        for name, module in children(host, path).items():
            runs[-1].append(name)
            if isinstance(module, nn.MaxPool2d):
                runs.append([])
        return [tuple(run) for run in runs if run]

    return stages
