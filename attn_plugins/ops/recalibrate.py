"""The last step of every gated layer: multiply the map by its gates, as the formulas are written."""

import functools

import torch
import torch.nn.functional as F
from torch import Tensor


def recalibrate(x: Tensor, *gates: Tensor) -> Tensor:
    """Multiplies a map by gates that broadcast to it: y = x * g1 * g2 ...

    The result keeps the map's dtype: under autocast the gates are in half precision, whatever the map is.

    Args:
        x (Tensor): The map, (N, C, H, W). It is not modified.
        gates (Tensor): Gates of any shape that broadcasts to the map's.

    Returns:
        Tensor: Shape, dtype and memory format of `x`.
    """
    for gate in gates:
        x = x * gate.to(x.dtype)
    return x


def multiply_gates(gates: Tensor) -> Tensor:
    """Multiplies the gates of a channel before they meet the map: (N, C) as it is, (N, C, M) -> (N, C).

    They are multiplied one by one: the backward of `torch.prod` would wait for the device to check for zero factors.
    """
    return gates if gates.dim() == 2 else functools.reduce(torch.mul, gates.unbind(2))


def upsample(gate: Tensor, x: Tensor) -> Tensor:
    """Spreads a coarse gate over the map by nearest neighbour: (N, C, h, w) -> (N, C, H, W) of `x`."""
    return F.interpolate(gate, size=x.shape[2:], mode='nearest')
