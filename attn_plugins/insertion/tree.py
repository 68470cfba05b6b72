"""The host's modules under their own names, as if nothing had been put in, and the layers that were."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from torch import nn

from attn_plugins.insertion.plug import Plug
from attn_plugins.layers.wrapper import Wrapper
from attn_plugins.registry import MODELS


class Node(NamedTuple):
    """One module of the host and the slots it can be replaced in.

    Attributes:
        name: Its name in the plain host, which is its name in the state dict.
        module: The host's module, without the plugs around it.
        outer: (parent, key) of what stands in the host, the outermost plug if there is one.
        inner: (parent, key) of the module itself, inside all plugs.
    """

    name: str
    module: nn.Module
    outer: tuple[nn.Module, str]
    inner: tuple[nn.Module, str]


def walk(host: nn.Module, prefix: str = '') -> Iterator[Node]:
    """Yields the host's modules in the order of their registration, looking through plugs and skipping layers."""
    for key, child in host.named_children():
        outer = inner = (host, key)
        while isinstance(child, Plug):
            inner, child = (child, Plug.wrapped_name), child.wrapped
        yield Node(prefix + key, child, outer, inner)
        if not isinstance(child, Wrapper):
            yield from walk(child, prefix + key + '.')


def matching(nodes: list[Node], pattern: str) -> list[Node]:
    """Nodes whose name matches a glob: `*` stands for anything within one name, `**` for any number of names."""
    tokens = re.split(r'(\*\*\.|\*\*|\*)', pattern)
    forms = {'**.': r'(?:.*\.)?', '**': r'.*', '*': r'[^.]*'}
    regex = re.compile(''.join(forms.get(token, re.escape(token)) for token in tokens))
    return [node for node in nodes if regex.fullmatch(node.name)]


def channels(module: nn.Module, side: str) -> int | None:
    """Channels of the map that enters ('before') or leaves ('after') a module, read from its convs and norms."""
    parts = [module, *(node.module for node in walk(module))]
    names = (
        ('in_channels', 'num_features', 'num_channels')
        if side == 'before'
        else ('out_channels', 'num_features', 'num_channels')
    )
    for part in parts[:1] + (parts[1:] if side == 'before' else parts[:0:-1]):
        for name in names:
            value = getattr(part, name, None)
            if isinstance(value, int):
                return value
    return None


def is_layer(module: nn.Module) -> bool:
    """Whether a module is one of this package's layers."""
    return hasattr(type(module), '_abbr_') and type(module) in MODELS.module_dict.values()


def inserted_layers(model: nn.Module, prefix: str = '') -> dict[str, nn.Module]:
    """The layers of this package in a model, by their names in the state dict.

    It finds what `Plugged` put in and what OpenMMLab's own `plugins=` and `norm_cfg=` did. A layer shared by
    several blocks is listed at each.
    """
    layers = {}
    for key, child in model._modules.items():
        name = prefix[:-1] if isinstance(model, Plug) and key == Plug.wrapped_name else prefix + key
        if child is None:
            continue
        if is_layer(child):
            layers[name] = child
        else:
            layers.update(inserted_layers(child, name + '.'))
    return layers
