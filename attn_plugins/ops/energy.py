"""The gate of SimAM (Yang et al., ICML 2021): how far a value is from the mean of its channel's map."""

import torch
import torch.fx
from torch import Tensor

from attn_plugins.ops.fused import Fused, Tensors
from attn_plugins.ops.maps import laid_out_as, scale_and_shift, sums, variance_and_mean
from attn_plugins.ops.pool import at_least_float32, global_var_mean, variance_correction

# A symbolic trace must not look inside these functions: they read the dtype or the size.
torch.fx.wrap('at_least_float32')
torch.fx.wrap('global_var_mean')


class EnergyGate(Fused):
    """y = x * sigmoid(e) with e = (x - mu)^2 / (4 (v + lambda)) + 1/2 and v = sum_hw (x - mu)^2 / (H W - 1).

    mu and v are those of the sample's channel. The statistics are computed in at least single precision, and the
    distance is scaled before it is squared, so half precision does not overflow. A map of one value has v = 0 and
    e = 1/2.

    Args:
        e_lambda (float): lambda, positive.
    """

    def __init__(self, e_lambda: float):
        self.e_lambda = e_lambda

    def formula(self, x: Tensor) -> Tensor:
        """Multiplies the map by its gate: (N, C, H, W) -> (N, C, H, W)."""
        exact = at_least_float32(x)
        statistics = global_var_mean(exact, True)
        variance, mean = statistics[0][:, :, None, None], statistics[1][:, :, None, None]
        distance = (exact - mean) * torch.rsqrt(4 * (variance + self.e_lambda))
        return x * torch.sigmoid(distance * distance + 0.5).to(x.dtype)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensors]:
        """Computes y, and keeps the scaled distance, the gate and the scale."""
        exact = at_least_float32(x)
        variance, mean = variance_and_mean(exact, variance_correction(x, unbiased=True))
        scale = torch.rsqrt(4 * (variance + self.e_lambda))
        distance = scale_and_shift(exact, scale, -mean * scale)
        gate = torch.addcmul(distance.new_tensor(0.5), distance, distance).sigmoid_()
        return x * gate.to(x.dtype), (distance, gate, scale)

    def backward(self, dy: Tensor, inputs: Tensors, kept: Tensors) -> Tensors:
        """Computes dx = gate dy + 2 s d (de - 4 sum(de d^2) / (H W - 1)) - its mean.

        Here s is the scale and d = s (x - mu).
        """
        (x,), (distance, gate, scale) = inputs, kept
        dy = dy.to(gate.dtype)
        products = torch.ops.aten.sigmoid_backward(dy * x, gate).mul_(distance)  # de d
        of_distance, of_square = sums(products, distance)
        size = x.shape[2] * x.shape[3]
        slope = -8 * scale * of_square / (size - variance_correction(x, unbiased=True))
        # The distances add up to zero, so only the products contribute to the mean.
        shift = laid_out_as(x, (-2 * scale * of_distance / size)[:, :, None, None])
        dx = torch.addcmul(shift, dy, gate)
        dx.addcmul_(products, (2 * scale)[:, :, None, None]).addcmul_(distance, slope[:, :, None, None])
        return (dx.to(x.dtype),)


def energy_gate_as_published(x: Tensor, e_lambda: float) -> Tensor:
    """Computes `EnergyGate` in the order of the formula, in the precision of `x`, for maps of more than one value."""
    square = (x - x.mean((2, 3), keepdim=True)) ** 2
    variance = square.sum((2, 3), keepdim=True) / (x.shape[2] * x.shape[3] - 1)
    return x * torch.sigmoid(square / (4 * (variance + e_lambda)) + 0.5)
