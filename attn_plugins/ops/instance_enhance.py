"""The instance enhancement of IEBN (Liang et al., AAAI 2020, arXiv:1908.04008): a per-instance gate on BN's scale."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from attn_plugins.ops.fused import Fused, Tensors
from attn_plugins.ops.maps import batch_statistics, batch_statistics_as_published, scale_and_shift, sums
from attn_plugins.ops.pool import global_mean


def instance_logits(x: Tensor, gate_weight: Tensor, gate_bias: Tensor) -> Tensor:
    """Computes e_nc = gate_weight_c * mean_hw(x_nchw) + gate_bias_c, (N, C, H, W) -> (N, C)."""
    return torch.addcmul(gate_bias, global_mean(x).to(gate_weight.dtype), gate_weight)


def instance_gate(x: Tensor, gate_weight: Tensor, gate_bias: Tensor) -> Tensor:
    """Computes delta_nc = sigmoid(e_nc), (N, C, H, W) -> (N, C, 1, 1)."""
    return torch.sigmoid(instance_logits(x, gate_weight, gate_bias))[:, :, None, None]


def apply_instance_gate(normalized: Tensor, delta: Tensor, bias: Tensor | None) -> Tensor:
    """Applies the gate to the scale of a finished batch norm: y = delta * (h - bias) + bias, h = weight * x_hat + bias.

    It is published as weight * delta * x_hat + bias (`EnhancedBatchNorm`). Here it is one scale and shift per (sample,
    channel), so `normalized` can come from any batch norm (SyncBN, another norm layer).

    Args:
        normalized (Tensor): h, the batch norm's output, (N, C, H, W).
        delta (Tensor): The gate, (N, C, 1, 1).
        bias (Tensor, optional): The batch norm's bias, (C,); None for a batch norm without affine.

    Returns:
        Tensor: Shape and dtype of `normalized`.
    """
    if bias is None:
        return normalized * delta.to(normalized.dtype)
    shift = bias[:, None, None] * (1 - delta)
    return torch.addcmul(shift.to(normalized.dtype), normalized, delta.to(normalized.dtype))


class EnhancedBatchNorm(Fused):
    """A batch norm with a gate on its scale: y = weight * delta * (x - mu) / sqrt(var + eps) + bias.

    delta = sigmoid(gate_weight * mean_hw(x) + gate_bias). mu and var are those of the batch, combined from those of its
    samples, which the gate needs anyway, or the running ones. So the whole layer is one scale and shift. The parameters
    are weight, bias, gate_weight and gate_bias, (C,) each.

    Args:
        running (tuple, optional): Running mean and variance, (C,) each; with them the batch's own are not used.
        eps (float): Added to the variance.
        update (callable, optional): Called once with mean and variance of the batch.
    """

    def __init__(
        self,
        running: tuple[Tensor, Tensor] | None,
        eps: float,
        update: Callable[[Tensor, Tensor], None] | None = None,
    ):
        self.running, self.eps, self.update = running, eps, update

    def formula(
        self, x: Tensor, weight: Tensor, bias: Tensor, gate_weight: Tensor, gate_bias: Tensor
    ) -> Tensor:
        """Normalises and gates the map: (N, C, H, W) -> (N, C, H, W)."""
        means, mean, variance = self._statistics(x, batch_statistics_as_published)
        scale, _, _ = self._scale(means, variance, weight, gate_weight, gate_bias)
        return x * scale[:, :, None, None] + (bias - mean * scale)[:, :, None, None]

    def forward(
        self, x: Tensor, weight: Tensor, bias: Tensor, gate_weight: Tensor, gate_bias: Tensor
    ) -> tuple[Tensor, Tensors]:
        """Computes y, and keeps the samples' means, the gate, and the mean and 1 / sqrt(var + eps) that normalise."""
        means, mean, variance = self._statistics(x, batch_statistics)
        if self.update is not None:
            self.update(mean, variance)
        scale, inverse_std, delta = self._scale(means, variance, weight, gate_weight, gate_bias)
        return scale_and_shift(x, scale, bias - mean * scale), (means, delta, mean, inverse_std)

    def compiled(
        self, x: Tensor, weight: Tensor, bias: Tensor, gate_weight: Tensor, gate_bias: Tensor
    ) -> Tensor:
        """Computes the formula for a compiler, which fuses it, and calls the update."""
        if self.update is not None:
            _, mean, variance = self._statistics(x, batch_statistics_as_published)
            self.update(mean.detach(), variance.detach())
        return self.formula(x, weight, bias, gate_weight, gate_bias)

    def _statistics(self, x: Tensor, of_batch: Callable) -> tuple[Tensor, Tensor, Tensor]:
        """Computes the means of the samples, (N, C), and the mean and variance that normalise, (C,) each."""
        return of_batch(x) if self.running is None else (global_mean(x), *self.running)

    def _scale(
        self, means: Tensor, variance: Tensor, weight: Tensor, gate_weight: Tensor, gate_bias: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Computes the factor of the map, (N, C), and the parts of it that the backward needs."""
        inverse_std = torch.rsqrt(variance + self.eps)
        delta = torch.sigmoid(torch.addcmul(gate_bias, means, gate_weight))
        return weight * inverse_std * delta, inverse_std, delta

    def backward(self, dy: Tensor, inputs: Tensors, kept: Tensors) -> Tensors:
        """Computes the gradients: one pass for the sums over space, two for the gradient of the map."""
        (x, weight, _, gate_weight, _), (means, delta, mean, inverse_std) = inputs, kept
        of_bias, products = sums(dy, x, mean)
        products = products * inverse_std  # with the normalised map
        of_logit = weight * products * delta * (1 - delta)
        size = x.shape[2] * x.shape[3]
        scale = weight * inverse_std * delta
        shift = of_logit * gate_weight / size
        of_weight = (delta * products).sum(0)
        slope = None
        if self.running is None:
            count = x.numel() // x.shape[1]
            slope = -inverse_std.square() * weight * of_weight / count
            shift = shift - (scale * of_bias).sum(0) / count - slope * mean
        dx = scale_and_shift(dy, scale, shift)
        if slope is not None:
            dx.addcmul_(x, slope[:, None, None])
        return dx, of_weight, of_bias.sum(0), (of_logit * means).sum(0), of_logit.sum(0)


def iebn_as_published(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    gate_weight: Tensor,
    gate_bias: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
    training: bool,
    momentum: float,
    eps: float,
) -> Tensor:
    """Computes IEBN as published: y = weight * delta * (x - mu) / sqrt(var + eps) + bias."""
    normalized = F.batch_norm(x, running_mean, running_var, None, None, training, momentum, eps)
    delta = instance_gate(x, gate_weight, gate_bias)
    return weight[:, None, None] * delta * normalized + bias[:, None, None]
