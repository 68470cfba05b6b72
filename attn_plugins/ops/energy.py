"""The energy of SimAM (Yang et al., ICML 2021): how far a value stands out of its channel's map."""

import torch
from torch import Tensor

from attn_plugins.ops.pool import at_least_float32


def inverse_energy(x: Tensor, e_lambda: float) -> Tensor:
    """e = (x - mu)^2 / (4 (v + lambda)) + 1/2 with v = sum_hw (x - mu)^2 / (H W - 1), per sample and channel.

    The statistics are taken in at least single precision, and the distance is scaled before it is squared: so half
    precision does not overflow. A map of one value has v = 0 and e = 1/2.

    Args:
        x (Tensor): The map, (N, C, H, W).
        e_lambda (float): lambda, positive.

    Returns:
        Tensor: Shape and dtype of `x`.
    """
    exact = at_least_float32(x)
    variance, mean = torch.var_mean(exact, (2, 3), correction=int(x.shape[2] * x.shape[3] > 1), keepdim=True)
    distance = (exact - mean) * torch.rsqrt(4 * (variance + e_lambda))
    return (distance * distance + 0.5).to(x.dtype)


def inverse_energy_as_published(x: Tensor, e_lambda: float) -> Tensor:
    """`inverse_energy` in the order of the formula, in the precision of `x`, for maps of more than one value."""
    square = (x - x.mean((2, 3), keepdim=True)) ** 2
    variance = square.sum((2, 3), keepdim=True) / (x.shape[2] * x.shape[3] - 1)
    return square / (4 * (variance + e_lambda)) + 0.5
