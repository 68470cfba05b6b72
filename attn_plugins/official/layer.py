"""Maps the authors' names of one layer's tensors to ours; each layer has its map, `official_names`, in its file."""

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor, nn


def in_our_names(layer: nn.Module, state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Renames and reshapes the authors' tensors (weights, gradients or statistics) to our names and shapes.

    Raises:
        ValueError: A key has no place in the layer, or the element counts differ.
    """
    own, name = layer.state_dict(), type(layer).__name__
    if not hasattr(layer, 'official_names'):
        raise ValueError(f'{name} has no map of published names: load it with load_state_dict')
    constants = official_constants(layer)
    renamed = {}
    names: Mapping[str, str] = getattr(layer, 'official_names')  # noqa: B009
    for key, value in state_dict.items():
        if key in constants:
            check_constant(name, key, value, constants[key])
            continue
        target = our_name(key, names)
        if target not in own:
            raise ValueError(f'{name} has no place for the key {key!r} of the published weights')
        if value.numel() != own[target].numel():
            raise ValueError(
                f'{key!r} has shape {tuple(value.shape)} but {name} needs {tuple(own[target].shape)}: '
                'build the layer with the options of the weights'
            )
        renamed[target] = value.reshape(own[target].shape)
    return renamed


def official_constants(layer: nn.Module) -> dict[str, Tensor]:
    """Computes the tensors that the authors save but a layer derives from its options, by the authors' names.

    An example are the bases of a DCT.
    """
    constants: Callable[[], dict[str, Tensor]] = getattr(layer, 'official_constants', dict)
    return constants()


def check_constant(name: str, key: str, theirs: Tensor, ours: Tensor) -> None:
    """Raises a ValueError if a saved tensor differs from the one that the layer computes from its options.

    The weights were then trained with other options.
    """
    same = partial(torch.allclose, rtol=1e-4, atol=1e-5) if ours.is_floating_point() else torch.equal
    if theirs.shape != ours.shape or not same(theirs.to(ours), ours):
        raise ValueError(
            f'{key!r} is not what {name} computes from its options: build the layer with the options of the weights'
        )


def our_name(key: str, names: Mapping[str, str]) -> str | None:
    """Translates the authors' key to our name: the longest beginning of it that the map knows is replaced."""
    parts = key.split('.')
    for end in range(len(parts), 0, -1):
        beginning = '.'.join(parts[:end])
        if beginning in names:
            return '.'.join([names[beginning], *parts[end:]])
    return None
