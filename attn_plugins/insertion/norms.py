"""The batch norms that an entry with `norm=` names."""

from torch import nn

from attn_plugins.compat import BatchNorm
from attn_plugins.errors import InsertionError
from attn_plugins.insertion.identity_start import IdentityStart
from attn_plugins.insertion.locate import Places, Switches, label
from attn_plugins.insertion.tree import Node, matching
from attn_plugins.layers.norm.base import NormLayer

# Norms of projection shortcuts, by the names that OpenMMLab, torchvision and timm give the shortcut.
SHORTCUTS = {'downsample', 'shortcut', 'proj', 'skip', 'conv_skip'}


def norms(places: Places, which: str, stages: Switches | None = None) -> list[Node]:
    """Batch norms of maps: 'all', 'main' (all but those of projection shortcuts), or a glob.

    Args:
        places (Places): Of the host.
        which (str): Which of them.
        stages (Switches, optional): Leaves those of the stages that are switched on, without stem and head.

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
    """Whether a module is a batch norm of maps or a norm layer around one."""
    if isinstance(module, IdentityStart):
        return is_norm(module.wrapped)
    return isinstance(module, (BatchNorm, NormLayer)) and not isinstance(
        module, (nn.BatchNorm1d, nn.BatchNorm3d)
    )


def _in_stages(places: Places, nodes: list[Node], stages: Switches) -> list[Node]:
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
