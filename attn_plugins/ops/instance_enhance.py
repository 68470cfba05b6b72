"""The instance enhancement of IEBN (Liang et al., AAAI 2020, arXiv:1908.04008): a per-instance gate on BN's scale."""

import torch
import torch.nn.functional as F
from torch import Tensor

from attn_plugins.ops.pool import global_mean


def instance_gate(x: Tensor, gate_weight: Tensor, gate_bias: Tensor) -> Tensor:
    """delta_nc = sigmoid(gate_weight_c * mean_hw(x_nchw) + gate_bias_c), (N, C, H, W) -> (N, C, 1, 1)."""
    delta = torch.sigmoid(torch.addcmul(gate_bias, global_mean(x).to(gate_weight.dtype), gate_weight))
    return delta[:, :, None, None]


def apply_instance_gate(normalized: Tensor, delta: Tensor, bias: Tensor | None) -> Tensor:
    """Puts the gate on the scale of a finished batch norm: y = delta * (h - bias) + bias, h = weight * x_hat + bias.

    Published as weight * delta * x_hat + bias (`iebn_as_published`). Here it is one scale and shift per (sample, channel), so any batch norm (SyncBN, frozen, evaluating)
    can have computed `normalized`.

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
    """IEBN as published: y = weight * delta * (x - mu) / sqrt(var + eps) + bias."""
    normalized = F.batch_norm(x, running_mean, running_var, None, None, training, momentum, eps)
    delta = instance_gate(x, gate_weight, gate_bias)
    return weight[:, None, None] * delta * normalized + bias[:, None, None]
