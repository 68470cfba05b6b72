"""Loads what the authors' own code saved into our layers."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn


def load_official(layer: nn.Module, state_dict: Mapping[str, Tensor]) -> None:
    """Loads the authors' weights of one layer: names mapped, shapes reshaped, nothing missing, nothing left over.

    Each layer's file carries its own map, `official_names`: the authors' name, or the beginning of one, to ours. What they
    save but a layer computes (the bases of a DCT) is in its `official_constants()` and must agree.

    Args:
        layer (nn.Module): One of our layers, built with the options that the weights were trained with.
        state_dict (Mapping[str, Tensor]): The authors' state dict of that module.

    Raises:
        ValueError: A key has no place here, a parameter finds no key, or the element counts differ.
    """
    loaded = in_our_names(layer, state_dict)
    missing = layer.state_dict().keys() - loaded.keys()
    if missing:
        raise ValueError(f'the published weights have nothing for {", ".join(sorted(missing))}')
    layer.load_state_dict(loaded)


def in_our_names(layer: nn.Module, state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The authors' tensors (weights, gradients or statistics) under our names and in our shapes.

    Raises:
        ValueError: A key has no place in the layer, or the element counts differ.
    """
    own, name = layer.state_dict(), type(layer).__name__
    if not hasattr(layer, 'official_names'):
        raise ValueError(f'{name} has no map of published names: load it with load_state_dict')
    constants = layer.official_constants() if hasattr(layer, 'official_constants') else {}
    renamed = {}
    for key, value in state_dict.items():
        if key in constants:
            _check_constant(name, key, value, constants[key])
            continue
        target = _our_name(key, layer.official_names)
        if target not in own:
            raise ValueError(f'{name} has no place for the key {key!r} of the published weights')
        if value.numel() != own[target].numel():
            raise ValueError(
                f'{key!r} has shape {tuple(value.shape)} but {name} needs {tuple(own[target].shape)}: '
                'build the layer with the options of the weights'
            )
        renamed[target] = value.reshape(own[target].shape)
    return renamed


def _check_constant(name: str, key: str, theirs: Tensor, ours: Tensor) -> None:
    """What the authors save but the layer computes must be the same, or the weights were trained with other options."""
    if theirs.shape != ours.shape or not torch.allclose(theirs.to(ours), ours, rtol=1e-4, atol=1e-5):
        raise ValueError(
            f'{key!r} is not what {name} computes from its options: build the layer with the options of the weights'
        )


def _our_name(key: str, names: Mapping[str, str]) -> str | None:
    """Our name of the authors' key: the longest beginning that the map knows is replaced."""
    parts = key.split('.')
    for end in range(len(parts), 0, -1):
        beginning = '.'.join(parts[:end])
        if beginning in names:
            return '.'.join([names[beginning], *parts[end:]])
    return None
