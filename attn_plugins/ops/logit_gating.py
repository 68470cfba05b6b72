"""A gate per value, from logits per channel and per place: BAM and global-and-local attention (GALA)."""

import functools

import torch
import torch.nn.functional as F
from torch import Tensor

from attn_plugins.ops.gating import BackwardInputs, Gating, Tensors
from attn_plugins.ops.pool import global_mean
from attn_plugins.ops.recalibrate import recalibrate


class LogitGating(Gating):
    """y = x * sigmoid(A_nc + B_nc L_nhw), optionally with 1 + sigmoid as the gate or tanh in place of sigmoid.

    The descriptors are the mean over space, (N, C), and a 1x1 convolution of the map, (N, m, H, W), whose weight
    (m, C, 1, 1) and bias (m,) are the weights.

    Args:
        plus_one (bool): Whether 1 is added to the gate.
        tanh (bool): Whether the logits are squashed by tanh.
    """

    def __init__(self, plus_one: bool = False, tanh: bool = False):
        self.plus_one, self.tanh = plus_one, tanh

    def squeeze(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensors:
        """Computes the mean over space and the local logits: (N, C, H, W) -> (N, C), (N, m, H, W)."""
        return global_mean(x), F.conv2d(x, weight, bias)

    def recalibrate(self, x: Tensor, shift: Tensor, slope: Tensor, local: Tensor) -> Tensor:
        """Multiplies the map by its gate: (N, C, H, W), A and B (N, C), L (N, 1, H, W) -> (N, C, H, W)."""
        logits = shift[:, :, None, None] + slope[:, :, None, None] * local
        gate = torch.tanh(logits) if self.tanh else torch.sigmoid(logits)
        return recalibrate(x, 1 + gate if self.plus_one else gate)

    def recalibrate_saving(
        self, x: Tensor, shift: Tensor, slope: Tensor, local: Tensor
    ) -> tuple[Tensor, Tensors]:
        """Multiplies the map by its gate, and keeps the squashed logits.

        They are as precise as the most precise of their parts.
        """
        dtype = functools.reduce(torch.promote_types, (part.dtype for part in (x, shift, slope, local)))
        shift, slope, local = (part.to(dtype) for part in (shift, slope, local))
        squashed = torch.addcmul(shift[:, :, None, None], slope[:, :, None, None], local)
        squashed = squashed.tanh_() if self.tanh else squashed.sigmoid_()
        return self._times(x, squashed), (squashed,)

    def gate_gradients(self, dy: Tensor, x: Tensor, gates: Tensors) -> Tensors:
        """Computes the gradients of A, B and L from that of the logits.

        For A it is the sum over space, for B the sum over space of the product with L, for L the sum over the channels
        of the product with B.
        """
        shift, slope, local, squashed = gates
        backward = torch.ops.aten.tanh_backward if self.tanh else torch.ops.aten.sigmoid_backward
        of_logits = backward((dy * x).to(squashed.dtype), squashed).flatten(2)
        slope = slope.to(of_logits.dtype)
        places = local.to(of_logits.dtype).flatten(2)
        per_channel = of_logits @ torch.cat([torch.ones_like(places), places], 1).transpose(1, 2)
        per_place = (slope[:, None] @ of_logits).view(local.shape)
        return (
            per_channel[:, :, 0].to(shift.dtype),
            per_channel[:, :, 1].to(slope.dtype),
            per_place.to(local.dtype),
        )

    def map_gradient(self, given: BackwardInputs) -> Tensors:
        """Computes dx = gate dy + dmean / (H W) + W^T dconv, in two passes; dW = dconv x^T."""
        dy, x, gates, weights, _, _, gradients = given
        n, channels, height, width = x.shape
        of_mean, of_conv = (gradient.to(dy.dtype) for gradient in gradients)
        dx = self._times(dy, gates[-1])
        weight = weights[0].to(dy.dtype).flatten(1).transpose(0, 1).expand(n, channels, -1)
        of_conv = of_conv.flatten(2)
        left = torch.cat([weight, of_mean[:, :, None] / (height * width)], 2)
        right = torch.cat([of_conv, torch.ones_like(of_conv[:, :1])], 1)
        flat = dx.flatten(2)
        flat.baddbmm_(left, right)
        of_weight = (of_conv @ x.to(dy.dtype).flatten(2).transpose(1, 2)).sum(0)
        return (
            dx,
            of_weight.view_as(weights[0]).to(weights[0].dtype),
            of_conv.sum((0, 2)).to(weights[1].dtype),
        )

    def _times(self, x: Tensor, squashed: Tensor) -> Tensor:
        """Multiplies the map by the gate, in one pass."""
        squashed = squashed.to(x.dtype)
        return torch.addcmul(x, x, squashed) if self.plus_one else x * squashed
