"""Gates over two of a map's three axes, from maximum and mean along the third.

CBAM's spatial gate has a value per place, triplet attention has gates for each pair of axes.
"""

import functools

import torch
from torch import Tensor

from attn_plugins.compat import strict_zip
from attn_plugins.ops.gating import BackwardInputs, Gating, Tensors
from attn_plugins.ops.maps import laid_out_as
from attn_plugins.ops.pool import maximum
from attn_plugins.ops.recalibrate import recalibrate

DIMS = {'c': 1, 'h': 2, 'w': 3}


class PlaneGating(Gating):
    """y = x * (the mean of the gates); each gate belongs to the plane that is left when one axis is pooled.

    The descriptor of a plane is [max; mean] along its axis: (N, 2, H, W) for 'c', (N, 2, C, W) for 'h', (N, 2, H, C)
    for 'w'. The map itself is never permuted.

    Args:
        axes (str): The axes that are pooled, one for each gate.
    """

    def __init__(self, axes: str):
        self.axes = axes

    def squeeze(self, x: Tensor) -> Tensors:
        """Pools the map along each axis: (N, C, H, W) -> a descriptor for each axis."""
        return tuple(_plane(maximum(x, DIMS[axis], keepdim=True), x, axis) for axis in self.axes)

    def squeeze_saving(self, x: Tensor) -> tuple[Tensors, Tensors]:
        """Pools the map along each axis, and keeps the places of the maxima."""
        maxima = [x.max(DIMS[axis], keepdim=True) for axis in self.axes]
        planes = (_plane(found.values, x, axis) for found, axis in strict_zip(maxima, self.axes))
        return tuple(planes), tuple(found.indices for found in maxima)

    def recalibrate(self, x: Tensor, *gates: Tensor) -> Tensor:
        """Multiplies the map by the mean of its gates; each axis has a gate of one channel."""
        return recalibrate(x, _total(self._shares(gates)))

    def recalibrate_saving(self, x: Tensor, *gates: Tensor) -> tuple[Tensor, Tensors]:
        """Multiplies the map by the mean of its gates, whose sum has the map's memory layout."""
        return recalibrate(x, self._gate(x, gates)), ()

    def gate_gradients(self, dy: Tensor, x: Tensor, gates: Tensors) -> Tensors:
        """Computes the sums of dy x along the axes."""
        products = dy * x
        return tuple(
            (_turn(products.sum(DIMS[axis], keepdim=True), axis) / len(gates)).to(gate.dtype)
            for gate, axis in strict_zip(gates, self.axes)
        )

    def map_gradient(self, given: BackwardInputs) -> Tensors:
        """Computes dx = gate dy + the means' gradients, spread over the axis, + the maxima's, each at its place."""
        dy, x, gates, _, _, kept, gradients = given
        gate = self._gate(dy, gates)
        parts = [gradient.to(dy.dtype) for gradient in gradients]
        shift = _total(
            laid_out_as(x, _turn(part[:, 1:] / x.shape[DIMS[axis]], axis))
            for part, axis in strict_zip(parts, self.axes)
        )
        dx = torch.addcmul(shift, dy, gate)
        for part, places, axis in strict_zip(parts, kept, self.axes):
            dx.scatter_add_(DIMS[axis], places, _turn(part[:, :1], axis))
        return (dx,)

    def _shares(self, gates: Tensors) -> list[Tensor]:
        """Computes the share of each gate in the mean, in a shape that broadcasts to the map."""
        shares = gates if len(gates) == 1 else [gate / len(gates) for gate in gates]
        return [_turn(share, axis) for share, axis in strict_zip(shares, self.axes)]

    def _gate(self, x: Tensor, gates: Tensors) -> Tensor:
        """Adds up the shares, in the map's precision and layout."""
        return _total(laid_out_as(x, share.to(x.dtype)) for share in self._shares(gates))


def _plane(largest: Tensor, x: Tensor, axis: str) -> Tensor:
    return torch.cat([_turn(largest, axis), _turn(x.mean(DIMS[axis], keepdim=True), axis)], 1)


def _turn(plane: Tensor, axis: str) -> Tensor:
    """Turns a map with one channel, row or column into a plane with one channel, or back; it is its own inverse."""
    return plane.transpose(1, DIMS[axis])


def _total(parts) -> Tensor:
    return functools.reduce(torch.add, parts)
