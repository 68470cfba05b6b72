"""Shows a model as a tree that fits on a screen, with every inserted layer in it."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field

from mmengine.config import Config
from rich.text import Text
from rich.tree import Tree
from torch import nn

from attn_plugins.cost.cost import count_parameters
from attn_plugins.insertion.containers import Plug, SharingPlug, UnfusedNorm
from attn_plugins.insertion.identity_start import IdentityStart
from attn_plugins.insertion.plug import Plugged
from attn_plugins.insertion.tree import is_layer, own_keys


@dataclass
class ModuleInfo:
    """The displayed facts of one module.

    Attributes:
        name: Its name in its parent.
        type: Its class.
        parameters: Learnable scalars in it and below; for an inserted layer those that it adds.
        madds: Multiply-adds in it and below.
        channels: Those of an inserted layer; None for a module of the host.
        children: The modules below it; inserted layers stand beside what they follow.
    """

    name: str
    type: str
    parameters: int
    madds: int
    channels: int | None = None
    children: list['ModuleInfo'] = field(default_factory=list)

    def layers(self, prefix: str = '') -> Iterator['ModuleInfo']:
        """Yields the inserted layers below, named by their paths from here."""
        for child in self.children:
            if child.channels is not None:
                yield ModuleInfo(
                    prefix + child.name, child.type, child.parameters, child.madds, child.channels
                )
            else:
                yield from child.layers(prefix + child.name + '.')


def describe(model: nn.Module, madds: dict[str, int], name: str = '', path: str = '') -> ModuleInfo:
    """Describes a model and all its modules, named as in the state dict; a layer shared by blocks appears at the first.

    Args:
        model (nn.Module): A model with or without inserted layers.
        madds (dict[str, int]): Multiply-adds as `count_madds` names them, '' is the whole model.
        name (str): The module's name in its parent.
        path (str): The module's path in the tree of modules.

    Returns:
        ModuleInfo: The whole model, its modules below it.
    """
    info = ModuleInfo(name, type(model).__name__, count_parameters(model), madds.get(path, 0))
    for key, child in model.named_children():
        below = f'{path}.{key}'.lstrip('.')
        plugs = []
        while isinstance(child, (Plug, UnfusedNorm)):
            if isinstance(child, Plug) and not isinstance(child, SharingPlug):
                layer_path = f'{below}.{child.attn_name}'
                plugs.append(
                    _describe_layer(
                        f'{key}.{child.attn_name}', child.attn_layer, child.attn_channels, madds, layer_path
                    )
                )
            below, child = f'{below}.{child.attn_wrapped}', child.wrapped
        if is_layer(child):
            channels = getattr(child, 'num_features', None) or getattr(child, 'in_channels', 0)
            info.children.append(_describe_layer(key, child, channels, madds, below))
        else:
            info.children.append(describe(child, madds, key, below))
        info.children += reversed(plugs)  # the innermost runs first
    # Lists of modules, and modules whose forward is called by name, are not counted themselves. A count of a module
    # itself is better than the sum: a module that several blocks share is counted under one name, for all of them.
    if path not in madds:
        info.madds = sum(child.madds for child in info.children)
    return info


def draw(info: ModuleInfo, depth: int) -> Tree:
    """Draws the modules down to a depth; deeper layers are drawn below their ancestor there, equal ones in one line.

    Args:
        info (ModuleInfo): The whole model.
        depth (int): Levels below the model that are drawn; modules without parameters and multiply-adds are left out.
    """
    tree = Tree(_label(info))
    if depth == 0:
        groups = {}
        for layer in info.layers():
            groups.setdefault((layer.type, layer.channels, layer.parameters, layer.madds), []).append(layer)
        for layers in groups.values():
            tree.add(_layer_label(layers))
        return tree
    for child in info.children:
        if child.channels is not None:
            tree.add(_layer_label([child]))
        elif child.parameters or child.madds:
            tree.children.append(draw(child, depth - 1))
    return tree


def without_layers(cfg: Config) -> Config:
    """Returns the same config of the plain host: no plugins, plain batch norm for this package's norms."""
    cfg = deepcopy(cfg)
    _strip(cfg.model)
    return cfg


def _strip(value) -> None:
    if isinstance(value, dict):
        if value.get('plugins'):
            value['plugins'] = [] if value.get('type') in ('attn_plugins.Plugged', Plugged) else None
        norm = value.get('norm_cfg')
        if isinstance(norm, dict) and str(norm.get('type')).startswith('attn_plugins.'):
            value['norm_cfg'] = dict(type='BN', requires_grad=norm.get('requires_grad', True))
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for item in value:
            _strip(item)


def _describe_layer(
    name: str, layer: nn.Module, channels: int, madds: dict[str, int], path: str
) -> ModuleInfo:
    """Describes a layer by what it adds, without the host's norm that it holds."""
    state = layer.state_dict(keep_vars=True)
    added = sum(state[key].numel() for key in own_keys(layer) if isinstance(state[key], nn.Parameter))
    kind = type(layer.wrapped if isinstance(layer, IdentityStart) else layer).__name__
    return ModuleInfo(name, kind, added, madds.get(path, 0), channels)


def _label(info: ModuleInfo) -> Text:
    count = sum(1 for _ in info.layers())
    return Text.assemble(
        (f'{info.name} ' if info.name else '', 'bold'),
        info.type,
        (_cost(info), 'dim'),
        (f', {count} inserted' if count else '', 'green'),
    )


def _layer_label(layers: list[ModuleInfo]) -> Text:
    first, more = layers[0], len(layers) - 1
    name = first.name + (f' and {more} alike' if more else '')
    each = ' each' if more else ''
    return Text.assemble(
        (f'+ {name} ', 'bold green'),
        (f'{first.type}, {first.channels} channels', 'green'),
        (_cost(first) + each, 'dim'),
    )


def _cost(info: ModuleInfo) -> str:
    return f'  {info.parameters:,} parameters, {info.madds / 1e6:,.2f} M-Adds'
