"""Looks after the weights of inserted layers: after the host's initialisation, and whenever a checkpoint is loaded."""

import functools
import logging
from collections.abc import Mapping
from typing import NamedTuple

import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from attn_plugins.compat import register_load_state_dict_pre_hook
from attn_plugins.errors import InsertionError
from attn_plugins.insertion.identity_start import IdentityStart
from attn_plugins.insertion.set_aside import SetAside, is_set_aside, meets_checkpoints
from attn_plugins.insertion.tree import held_layers, is_layer, own_keys
from attn_plugins.layers.state_dict_keys import Wrapper
from attn_plugins.randomness import next_number, own_stream

# The attribute of a module that holds layers: whether it refuses weights that do not fit, and whether it reports faults
# also when a larger model is loaded (`LoadCheck`).
LOAD_CHECK = '_attn_load_check'
# Attributes of a layer: the values it was built with, and the keys that a checkpoint has given since its host began to
# initialise.
BUILT = '_attn_built'
LOADED = '_attn_loaded'


class LoadCheck(NamedTuple):
    """How a module checks the checkpoints that are loaded into it."""

    strict: bool
    always: bool


def keep_weights(host: nn.Module, strict: bool) -> None:
    """Restores the layers' initial values after the host's `init_weights`, and checks every state dict that is loaded.

    The offsets of the host's deformable convolutions start at zero too.

    Checkpoints may be loaded into the host or into any part of it that holds a layer (as the backbone of a plugged
    detector is by its own `init_cfg`).
    """
    for _, layer in held_layers(host):
        for part in _parts(layer):
            if not is_layer(part) and BUILT not in part.__dict__:
                setattr(
                    part, BUILT, {key: value.detach().clone() for key, value in part.state_dict().items()}
                )
    _keep_offsets(host)
    if hasattr(type(host), 'init_weights'):
        host.init_weights = functools.partial(_init_weights, host)
    for module in _holders(host):
        before = module.__dict__.get(LOAD_CHECK)
        if before is None:
            meets_checkpoints(module)
            register_load_state_dict_pre_hook(module, _check_weights)
        module.__dict__[LOAD_CHECK] = LoadCheck(
            strict or before is not None and before.strict, module is host
        )


def _keep_offsets(host: nn.Module) -> None:
    """Makes mmengine reset the offsets of mmcv's deformable convolutions (version 1) to zero.

    These convolutions set them only when they are built. A host that starts without a checkpoint initialises all its
    convolutions after that, those of the offsets too. Its `init_weights` then calls that of each module that has one,
    as mmcv's version 2 has.
    """
    for module in host.modules():
        if hasattr(module, 'init_offset') and not hasattr(module, 'init_weights'):
            module.init_weights = module.init_offset


def _holders(host: nn.Module) -> list[nn.Module]:
    """Lists the host, and its modules that have inserted layers below them."""
    layers = {layer for _, layer in held_layers(host)}
    inside = {module for layer in layers for module in layer.modules()}
    return [
        module
        for module in host.modules()
        if module is host
        or not isinstance(module, Wrapper)
        and module not in inside
        and not layers.isdisjoint(module.modules())
    ]


def _parts(layer: nn.Module) -> list[nn.Module]:
    """Lists the modules whose `init_weights` is called: the layer, and an `IdentityStart` around it."""
    return [layer, *_parts(layer.wrapped)] if isinstance(layer, IdentityStart) else [layer]


def _init_weights(host: nn.Module, *args, **kwargs):
    """Runs the host's own `init_weights` without the layers, then restores each layer's initial values.

    Values that a checkpoint has given stay. Values that were loaded before stay if the host keeps its own. A layer
    draws from a random stream of its own, which the moment and its name determine.

    What was loaded before is kept if the host keeps what it had. A layer draws from a stream of its own, of the
    moment and its name.
    """
    # If this is a plugged part of a plugged model, the model sets aside and initialises the layers of both.
    if getattr(host, 'is_init', False) or is_set_aside(host):
        return type(host).init_weights(host, *args, **kwargs)
    loaded = {layer: _loaded(layer) for _, layer in held_layers(host)}
    before = (
        {key: value.clone() for key, value in host.state_dict().items()} if any(loaded.values()) else None
    )
    for layer in loaded:
        setattr(layer, LOADED, frozenset())
    with SetAside(host, _holders(host)):
        result = type(host).init_weights(host, *args, **kwargs)
    is_kept = before and all(torch.equal(before[key], value) for key, value in host.state_dict().items())
    moment = next_number()
    for name, layer in held_layers(host):
        if is_kept:
            setattr(layer, LOADED, loaded[layer])
        with own_stream(moment, name):
            _restore(layer)
    return result


def _loaded(layer: nn.Module) -> frozenset[str]:
    return getattr(layer, LOADED, frozenset())


def _restore(layer: nn.Module) -> None:
    """Gives a layer its initial values, except for the keys that were loaded."""
    if not own_keys(layer) - _loaded(layer):
        return
    given = {key: value.clone() for key, value in layer.state_dict().items() if key in _loaded(layer)}
    for part in _parts(layer):
        if BUILT in part.__dict__:  # the part's own attribute, not one that a wrapper passes through
            part.load_state_dict(part.__dict__[BUILT])
        for module in part.modules():
            if getattr(module, 'is_init', False):  # mmengine's modules do nothing a second time
                module.is_init = False
        if hasattr(part, 'init_weights'):
            part.init_weights()
    layer.load_state_dict(given, strict=False)


def _check_weights(module: nn.Module, state_dict: Mapping[str, Tensor], prefix: str, *args) -> None:
    """Reports in one line which layers got no weights and which weights have no layer, so none is dropped silently.

    A part of the host reports only if the checkpoint is loaded into this part itself.
    """
    check = getattr(module, LOAD_CHECK)
    if prefix and not check.always:
        return
    expected = module.state_dict()
    loaded = {key[len(prefix) :]: value for key, value in state_dict.items() if key.startswith(prefix)}
    if not loaded:
        return
    absent, partly = [], []
    for name, layer in held_layers(module):
        own = own_keys(layer)
        found = {key for key in own if _fits(loaded.get(f'{name}.{key}'), expected[f'{name}.{key}'])}
        setattr(layer, LOADED, frozenset(found))
        if found != own:
            (absent if not found else partly).append(name)
    foreign = [key for key in loaded if key not in expected and _is_ours(key)]
    faults = []
    if absent:
        faults.append(
            f'no fitting weights for {len(absent)} inserted layers ({_first(absent)}), which stay as '
            'initialised'
        )
    if partly:
        faults.append(f'only a part of the weights of {len(partly)} inserted layers ({_first(partly)})')
    if foreign:
        faults.append(f'weights of layers that the model lacks ({_first(foreign)}), which are dropped')
    if faults:
        message = f'the checkpoint has {" and ".join(faults)}'
        if check.strict:
            raise InsertionError(message + ': strict_plugins=True refuses it')
        print_log(message, logger='current', level=logging.WARNING)


def _fits(given: Tensor | None, expected: Tensor) -> bool:
    return given is not None and given.shape == expected.shape


def _is_ours(key: str) -> bool:
    """Tells whether a key looks like one of this package's layers.

    All of them have the prefix attn_, the gates of norms gate_.
    """
    return any(part.startswith(('attn_', 'gate_')) for part in key.split('.'))


def _first(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f'{names[0]} and {len(names) - 1} more'
