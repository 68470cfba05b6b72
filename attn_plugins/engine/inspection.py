"""A model as a tree of a screen's size, with every inserted layer in it."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import asdict, dataclass, field

from mmengine.config import Config
from rich.text import Text
from rich.tree import Tree
from torch import nn

from attn_plugins.insertion.plug import Plug
from attn_plugins.insertion.tree import channels, is_layer
from attn_plugins.layers.wrapper import Wrapper


@dataclass
class Part:
    """One module: `name` is its place in its parent, `channels` is that of an inserted layer, None of the host's parts."""

    name: str
    type: str
    parameters: int
    madds: int
    channels: int | None = None
    children: list['Part'] = field(default_factory=list)

    def layers(self, prefix: str = '') -> Iterator['Part']:
        """The inserted layers below, by their names from here."""
        for child in self.children:
            if child.channels is not None:
                yield Part(prefix + child.name, child.type, child.parameters, child.madds, child.channels)
            else:
                yield from child.layers(prefix + child.name + '.')


def describe(model: nn.Module, madds: dict[str, int], name: str = '', path: str = '') -> Part:
    """Describes a model and all its parts, names as in the state dict.

    Args:
        model (nn.Module): A model with or without inserted layers.
        madds (dict[str, int]): Multiply-adds by the name in `model.named_modules()`, '' is the whole model.
        name (str): The part's place in its parent.
        path (str): The part's name in `named_modules()`.
    """
    part = Part(name, type(model).__name__, _own_parameters(model), madds.get(path, 0))
    for key, child in model.named_children():
        below = f'{path}.{key}'.lstrip('.')
        plugs = []
        while isinstance(child, Plug):
            layer = child.layer
            layer_path = f'{below}.{child.layer_name}'
            plugs.append(
                Part(
                    f'{key}.{child.layer_name}',
                    type(layer).__name__,
                    _own_parameters(layer),
                    madds.get(layer_path, 0),
                    _channels(layer, child),
                )
            )
            below, child = f'{below}.{Plug.wrapped_name}', child.wrapped
        if is_layer(child):
            extra = sum(p.numel() for n, p in child.named_parameters() if not _is_wrapped(child, n))
            part.children.append(
                Part(key, type(child).__name__, extra, madds.get(below, 0), _channels(child))
            )
        else:
            part.children.append(describe(child, madds, key, below))
        part.children += reversed(plugs)  # the innermost runs first
    # Lists of modules, and modules whose forward is called by name, are not counted themselves.
    part.madds = max(part.madds, sum(child.madds for child in part.children))
    return part


def draw(part: Part, depth: int) -> Tree:
    """Draws the parts down to a depth; deeper layers hang from their ancestor there, like ones in one line.

    Args:
        part (Part): The whole model.
        depth (int): Levels below the model that are drawn; parts without parameters and multiply-adds are left out.
    """
    tree = Tree(_label(part))
    if depth == 0:
        groups = {}
        for layer in part.layers():
            groups.setdefault((layer.type, layer.channels, layer.parameters, layer.madds), []).append(layer)
        for layers in groups.values():
            tree.add(_layer_label(layers))
        return tree
    for child in part.children:
        if child.channels is not None:
            tree.add(_layer_label([child]))
        elif child.parameters or child.madds:
            tree.children.append(draw(child, depth - 1))
    return tree


def to_dict(part: Part) -> dict:
    """The tree for JSON."""
    return asdict(part)


def without_layers(cfg: Config) -> Config:
    """The same config of the plain host: no plugins, plain batch norm for this package's norms."""
    cfg = deepcopy(cfg)
    _strip(cfg.model)
    return cfg


def _strip(value) -> None:
    if isinstance(value, dict):
        if value.get('plugins'):
            value['plugins'] = None if value.get('type') != 'attn_plugins.Plugged' else []
        norm = value.get('norm_cfg')
        if isinstance(norm, dict) and str(norm.get('type')).startswith('attn_plugins.'):
            value['norm_cfg'] = dict(type='BN', requires_grad=norm.get('requires_grad', True))
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for item in value:
            _strip(item)


def _own_parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def _is_wrapped(layer: nn.Module, name: str) -> bool:
    """Whether a parameter belongs to the host's norm within a norm layer."""
    return isinstance(layer, Wrapper) and name.startswith(layer.wrapped_name + '.')


def _channels(layer: nn.Module, plug: Plug | None = None) -> int:
    """The channels of a layer's map: those of the norm it holds, of the module it stands at, or of its first part."""
    if plug is None:
        return channels(layer, 'before') or channels(layer, 'after') or 0
    return channels(plug.wrapped, plug.side) or channels(layer, 'before') or 0


def _label(part: Part) -> Text:
    count = sum(1 for _ in part.layers())
    return Text.assemble(
        (f'{part.name} ' if part.name else '', 'bold'),
        part.type,
        (_cost(part), 'dim'),
        (f', {count} inserted' if count else '', 'green'),
    )


def _layer_label(layers: list[Part]) -> Text:
    first, more = layers[0], len(layers) - 1
    name = first.name + (f' and {more} alike' if more else '')
    each = ' each' if more else ''
    return Text.assemble(
        (f'+ {name} ', 'bold green'),
        (f'{first.type}, {first.channels} channels', 'green'),
        (_cost(first) + each, 'dim'),
    )


def _cost(part: Part) -> str:
    return f'  {part.parameters:,} parameters, {part.madds / 1e6:,.2f} M-Adds'
