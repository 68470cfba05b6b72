"""Computes the effective receptive field: the pixels that the centre of a map depends on.

Luo et al., NeurIPS 2016, arXiv:1701.04128.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from attn_plugins.errors import UserError
from attn_plugins.visualization.network import Network, Tap

# Pixels above this share of the largest gradient are within the field: a Gaussian's mass outside two deviations.
WITHIN = 1 - 0.9545


def receptive_field(network: Network, batch: Sequence[Tensor], layer: str) -> tuple[Tensor, ...]:
    """Computes the receptive field of a layer's map.

    Equation:
        F = mean over inputs and their channels of |d (sum_c A_c,centre) / d input|

    Args:
        network: The model.
        batch: Inputs (1, C, h, w), all of one size.
        layer: As `Network.tapped` takes it.

    Returns:
        Tensor: (h, w), of the inputs' size, not scaled.
    """
    fields = []
    for inputs in _same_size(batch):
        inputs = inputs.clone().requires_grad_(True)
        with network.tapped(layer) as tap, torch.enable_grad():
            network(inputs)
            fields.append(_gradient(tap.map, inputs))
    return torch.stack(fields).mean(0)


def fields_around(network: Network, batch: Sequence[Tensor], layer: nn.Module) -> tuple[Tensor, Tensor]:
    """Computes the fields of a layer's input and of its output: what the layer adds to the field."""
    fields = []
    for inputs in _same_size(batch):
        inputs = inputs.clone().requires_grad_(True)
        before, after = Tap(), Tap()
        handles = (
            layer.register_forward_pre_hook(lambda _, args, tap=before: (tap(args[0]).clone(), *args[1:])),
            layer.register_forward_hook(lambda _, args, y, tap=after: tap(y).clone()),
        )
        try:
            with torch.enable_grad():
                network(inputs)
                fields.append([_gradient(tap.map, inputs, retain=tap is before) for tap in (before, after)])
        finally:
            for handle in handles:
                handle.remove()
    return tuple(torch.stack(maps).mean(0) for maps in zip(*fields, strict=True))


def effective_size(field: Tensor) -> float:
    """Returns the side in pixels of a square with as many pixels as have at least 4.55 % of the largest gradient.

    The threshold is the paper's.
    """
    return float((field > WITHIN * field.max()).sum()) ** 0.5


def _gradient(map_: Tensor, inputs: Tensor, retain: bool = False) -> Tensor:
    height, width = map_.shape[2:]
    centre = map_[:, :, height // 2, width // 2].sum()
    (gradient,) = torch.autograd.grad(centre, inputs, retain_graph=retain, allow_unused=True)
    return torch.zeros(inputs.shape[2:]) if gradient is None else gradient.abs().mean((0, 1))


def _same_size(batch: Sequence[Tensor]) -> Sequence[Tensor]:
    sizes = {tuple(inputs.shape[2:]) for inputs in batch}
    if len(sizes) > 1:
        words = ' and '.join(f'{height} × {width}' for height, width in sorted(sizes))
        raise UserError(
            f'a mean over inputs of {words} pixels has no centre: give images of one size, or leave them out'
        )
    return batch
