"""Matches the tensors of the authors' whole model with those of ours."""

import re
from collections.abc import Mapping

from torch import Tensor, nn

from attn_plugins.insertion.tree import inserted_layers
from attn_plugins.official.layer import check_constant, official_constants, our_name

COUNTER = 'num_batches_tracked'  # of batch norms: a checkpoint may lack it


def names_in_model(model: nn.Module, state_dict: Mapping[str, Tensor]) -> dict[str, str]:
    """Maps the authors' keys of a whole model to our names; the name is empty if the tensor is a constant here.

    First every inserted layer finds the group of keys that its map of published names fits, in the order of the
    network. The rest is the plain host: both sides hold the same convolutions, norms and linear layers in the same
    order, whatever they call them. Kinds of tensors (weight, running_mean) and element counts must agree one by one,
    and so must names with a number (`bn2`) where both sides have one.

    Args:
        model (nn.Module): A model with inserted layers, built as the authors' is.
        state_dict (Mapping[str, Tensor]): The authors' state dict of the whole model.

    Returns:
        dict[str, str]: Our name for each key; for a layer that blocks share, its name at the first of them.

    Raises:
        ValueError: A layer finds no weights, or the hosts differ; the message names the first difference.
    """
    own = model.state_dict()
    names = _names_of_layers(model, state_dict)
    taken = set(names.values())
    theirs = [key for key in state_dict if key not in names and not key.endswith(COUNTER)]
    ours = [key for key in own if key not in taken and not key.endswith(COUNTER)]
    for their, our in zip(theirs, ours, strict=False):
        if not _agree(their, our) or state_dict[their].numel() != own[our].numel():
            raise ValueError(
                f'{their!r} {tuple(state_dict[their].shape)} of the published weights comes where the model has '
                f'{our!r} {tuple(own[our].shape)}: build the model as the authors did'
            )
        names[their] = our
    if len(theirs) != len(ours):
        left = theirs[len(ours) :] or ours[len(theirs) :]
        owner = 'the published weights' if len(theirs) > len(ours) else 'the model'
        raise ValueError(
            f'{owner} alone has {left[0]!r} and {len(left) - 1} more: build the model as the authors did'
        )
    modules = {_module(their): _module(our) for their, our in names.items() if our}
    for key in state_dict:
        if key.endswith(COUNTER) and _module(key) in modules:
            names[key] = f'{modules[_module(key)]}.{COUNTER}'
    return names


def _names_of_layers(model: nn.Module, state_dict: Mapping[str, Tensor]) -> dict[str, str]:
    """Maps the authors' keys of the inserted layers to our names."""
    groups: dict[str, list[str]] = {}
    for key in state_dict:
        parts = key.split('.')
        for end in range(len(parts)):
            groups.setdefault(''.join(part + '.' for part in parts[:end]), []).append(key)
    names: dict[str, str] = {}
    for place, layer in inserted_layers(model).items():
        if not layer.state_dict():
            continue
        found = next(
            (
                fitting
                for prefix, keys in groups.items()
                if not names.keys() & (fitting := _fitting(layer, prefix, keys, state_dict)).keys()
                and fitting
            ),
            None,
        )
        if found is None:
            raise ValueError(
                f'the published weights have no {type(layer).__name__} that fits {place}: build the model as the '
                'authors did'
            )
        for key, target in found.items():
            names[key] = target and f'{place}.{target}'
    return names


def _fitting(
    layer: nn.Module, prefix: str, keys: list[str], state_dict: Mapping[str, Tensor]
) -> dict[str, str]:
    """Maps the keys below a prefix to a layer's names; empty if these are not all keys of the layer."""
    own, constants = layer.state_dict(), official_constants(layer)
    fitting = {}
    for key in keys:
        if key[len(prefix) :] in constants:
            check_constant(type(layer).__name__, key, state_dict[key], constants[key[len(prefix) :]])
            fitting[key] = ''
            continue
        target = our_name(key[len(prefix) :], getattr(layer, 'official_names', {}))
        if target in own and state_dict[key].numel() == own[target].numel():
            fitting[key] = target
    lacking = own.keys() - fitting.values()
    return {} if any(not name.endswith(COUNTER) for name in lacking) else fitting


def _module(key: str) -> str:
    return key.rpartition('.')[0]


def _agree(their: str, our: str) -> bool:
    """Tells whether two keys can be the same tensor: weight and weight, but not bn1 and bn2."""
    if their.rpartition('.')[2] != our.rpartition('.')[2]:
        return False
    pair = [_module(key).rpartition('.')[2] for key in (their, our)]
    return pair[0] == pair[1] or not all(re.fullmatch(r'[a-z_]+\d+', name) for name in pair)
