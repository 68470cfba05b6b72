"""Walks over a host's modules as if no layer had been put in, and finds the layers that were."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from torch import nn

from attn_plugins.compat import children_of
from attn_plugins.insertion.containers import Plug, SharingPlug, UnfusedNorm
from attn_plugins.insertion.identity_start import IdentityStart
from attn_plugins.layers.norm.base import NormLayer
from attn_plugins.registry import MODELS


class Node(NamedTuple):
    """One module of the host and the slots in which it can be replaced.

    Attributes:
        name: Its name in the plain host, which is its name in the state dict.
        module: The host's module, without the plugs around it.
        outer: (parent, key) of the outermost plug, or of the module if there is no plug.
        inner: (parent, key) of the module itself, inside all plugs.
    """

    name: str
    module: nn.Module
    outer: tuple[nn.Module, str]
    inner: tuple[nn.Module, str]

    def plugs(self) -> Iterator[Plug]:
        """Yields the plugs around the module, the outermost first."""
        parent, key = self.outer
        module = children_of(parent)[key]
        while isinstance(module, (Plug, UnfusedNorm)):
            if isinstance(module, Plug):
                yield module
            module = module.wrapped


def walk(host: nn.Module, prefix: str = '') -> Iterator[Node]:
    """Yields the host's modules in the order of their registration, looking through plugs and skipping layers."""
    for key, child in children_of(host).items():
        if child is None:
            continue
        outer = inner = (host, key)
        while isinstance(child, (Plug, UnfusedNorm)):
            inner, child = (child, child.attn_wrapped), child.wrapped
        yield Node(prefix + key, child, outer, inner)
        if not is_layer(child):
            yield from walk(child, prefix + key + '.')


def matching(nodes: list[Node], pattern: str) -> list[Node]:
    """Finds the nodes whose name matches a glob: `*` stands for any text in one name, `**` for any number of names."""
    tokens = re.split(r'(\*\*\.|\*\*|\*)', pattern)
    forms = {'**.': r'(?:.*\.)?', '**': r'.*', '*': r'[^.]*'}
    regex = re.compile(''.join(forms.get(token, re.escape(token)) for token in tokens))
    return [node for node in nodes if regex.fullmatch(node.name)]


def is_layer(module: nn.Module) -> bool:
    """Tells whether a module is one of this package's layers, however it was put in."""
    return isinstance(module, (IdentityStart, NormLayer)) or (
        hasattr(type(module), '_abbr_') and type(module) in MODELS.module_dict.values()
    )


def held_layers(model: nn.Module, prefix: str = '') -> Iterator[tuple[str, nn.Module]]:
    """Yields name and module of every layer that a plug, OpenMMLab's own `plugins=` or a `norm_cfg=` put in.

    An `IdentityStart` is yielded itself, not the layer inside.

    A norm layer has the name of the norm that it replaces, and so have nested norm layers. A layer that blocks share
    has its name from the first block.
    """
    for key, child in children_of(model).items():
        if child is None:
            continue
        wrapped = isinstance(model, (Plug, UnfusedNorm)) and key == model.attn_wrapped
        name = prefix[:-1] if wrapped else prefix + key
        if is_layer(child) or isinstance(model, Plug) and not wrapped:
            yield name, child
            while isinstance(child, (IdentityStart, NormLayer)):
                start, inner = isinstance(child, IdentityStart), children_of(child)[child.attn_wrapped]
                assert inner is not None
                child = inner
                if is_layer(child) and not start:
                    yield name, child
        else:
            yield from held_layers(child, name + '.' if name else '')


def own_keys(layer: nn.Module) -> set[str]:
    """Returns the state-dict keys of a layer from `held_layers`, without those of a host's norm inside it."""
    if isinstance(layer, IdentityStart):
        return layer.attn_own_keys() | own_keys(layer.wrapped)
    return layer.attn_own_keys() if isinstance(layer, NormLayer) else set(layer.state_dict())


def inserted_layers(model: nn.Module) -> dict[str, nn.Module]:
    """Finds the layers in a model, by their names in the state dict.

    These are all layers that a plug holds, whoever wrote them, and this package's layers that OpenMMLab's own
    `plugins=` and `norm_cfg=` put in.

    A layer that several blocks share has its weights once, at the first of them, and is listed there. If norm layers
    are nested, the inner one is listed with `.bn` after its name.
    """
    layers = {}
    for name, layer in held_layers(model):
        while name in layers:
            name += '.' + NormLayer.attn_wrapped
        layers[name] = layer.wrapped if isinstance(layer, IdentityStart) else layer
    return layers


def sharing(model: nn.Module) -> dict[str, str]:
    """Maps the name of a shared layer at each further block to the name under which its weights are saved."""
    names = {layer: name for name, layer in held_layers(model)}
    return {
        f'{node.name}.{plug.attn_name}': names[plug.attn_layer]
        for node in walk(model)
        for plug in node.plugs()
        if isinstance(plug, SharingPlug)
    }
