"""Functions that find modules of a block or host; the entries of the tables are built from them."""

from collections.abc import Callable
from itertools import groupby

from torch import nn

from attn_plugins.insertion.containers import Plug, UnfusedNorm
from attn_plugins.insertion.host_tables.lookup import Location, Stages, places


def children(module: nn.Module, path: str = '') -> dict[str, nn.Module]:
    """Lists the modules right below a path by their names from `module`, as if no layer had been put in."""
    for name in path.split('.') if path else ():
        module = without_plugs(getattr(module, name))
    prefix = f'{path}.' if path else ''
    return {prefix + name: without_plugs(child) for name, child in module.named_children()}


def without_plugs(module: nn.Module) -> nn.Module:
    while isinstance(module, (Plug, UnfusedNorm)):
        module = module.wrapped
    return module


def where(holds: Callable[[nn.Module], bool], place: str) -> Location:
    """Builds a place that only those blocks have for which a condition holds."""
    return lambda block: place if holds(block) else None


def if_there(name: str) -> Location:
    return where(lambda block: hasattr(block, name), f'after {name}')


def child(path: str, index: int, kind: type = nn.Module, least: int = 0) -> Location:
    """Builds the place after the child number `index` of a kind in a Sequential.

    Blocks with fewer such children than that or than `least` do not have the place.
    """

    def place(block: nn.Module) -> str | None:
        names = [name for name, child in children(block, path).items() if isinstance(child, kind)]
        enough = max(least, index + 1, -index)
        return f'after {names[index]}' if len(names) >= enough else None

    return place


def with_blocks(path: str) -> Stages:
    """Finds each module under a path that holds blocks; each is a stage."""
    return lambda host: [
        (name,)
        for name, module in children(host, path).items()
        if any(places(child) for child in children(module).values())
    ]


def runs(path: str) -> Stages:
    """Groups the blocks under a path into stages: runs of blocks whose outputs have equal channels."""

    def channels(block: tuple[str, nn.Module]) -> int:
        return getattr(block[1], 'out_channels', None) or block[1].linear_conv.out_channels

    def stages(host: nn.Module) -> list[tuple[str, ...]]:
        blocks = [(name, module) for name, module in children(host, path).items() if places(module)]
        return [tuple(name for name, _ in run) for _, run in groupby(blocks, key=channels)]

    return stages


def up_to_pools(path: str) -> Stages:
    """Groups the modules under a path into stages, each of which ends with a pooling."""

    def stages(host: nn.Module) -> list[tuple[str, ...]]:
        runs = [[]]
        for name, module in children(host, path).items():
            runs[-1].append(name)
            if isinstance(module, nn.MaxPool2d):
                runs.append([])
        return [tuple(run) for run in runs if run]

    return stages
