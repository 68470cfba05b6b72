"""Global context (GC): one descriptor of a whole map, pooled with attention, is added everywhere or gates channels."""

import torch
import torch.nn.functional as F
from torch import Tensor

from attn_plugins.compat import strict_zip
from attn_plugins.ops.gating import BackwardInputs, Gating, Tensors
from attn_plugins.ops.maps import scale_and_shift, sums
from attn_plugins.ops.pool import at_least_float32, global_mean
from attn_plugins.ops.recalibrate import recalibrate
from attn_plugins.ops.residual import add_branch


def attention_pool(x: Tensor, logits: Tensor) -> Tensor:
    """Pools a map to z_nc = sum_hw softmax_hw(logits)_nhw x_nchw: a mean over space whose weights all channels share.

    It is computed as published.

    Args:
        x (Tensor): The map, (N, C, H, W).
        logits (Tensor): One per place, (N, 1, H, W).

    Returns:
        Tensor: The descriptor, (N, C), in the dtype of `x`.
    """
    weights = logits.flatten(1).softmax(1).to(x.dtype)
    return (x.flatten(2) @ weights[:, :, None])[:, :, 0]


class ContextGating(Gating):
    """y_nc = x_nc * g_nc + t_nc, with the terms that are switched on.

    The descriptor is the mean over space; with attention the places are weighted by softmax_hw(w x + b)
    (`attention_pool`), and w, (1, C, 1, 1), and b, (1,), are the weights.

    Args:
        attention (bool): Whether the places are weighted.
        mul (bool): Whether there is g, the first gate.
        add (bool): Whether there is t, the last.
    """

    def __init__(self, attention: bool, mul: bool, add: bool):
        self.attention, self.mul, self.add = attention, mul, add

    def squeeze(self, x: Tensor, *mask: Tensor) -> Tensors:
        """Pools the map over space: (N, C, H, W) -> (N, C)."""
        return (attention_pool(x, F.conv2d(x, *mask)) if self.attention else global_mean(x),)

    def squeeze_saving(self, x: Tensor, *mask: Tensor) -> tuple[Tensors, Tensors]:
        """Pools the map, and keeps the weights of the places, (N, H W, 1), in the precision of the softmax."""
        if not self.attention:
            return self.squeeze(x), ()
        places = F.conv2d(x, *mask).flatten(1).softmax(1)[:, :, None]
        return ((x.flatten(2) @ places.to(x.dtype))[:, :, 0],), (places,)

    def recalibrate(self, x: Tensor, *gates: Tensor) -> Tensor:
        """Scales and shifts each channel by its gates: (N, C, H, W), (N, C) each -> (N, C, H, W)."""
        gates = [gate[:, :, None, None] for gate in gates]
        y = recalibrate(x, gates[0]) if self.mul else x
        return add_branch(y, gates[-1]) if self.add else y

    def gate_gradients(self, dy: Tensor, x: Tensor, gates: Tensors) -> Tensors:
        """Computes dg_nc = sum_hw dy x, dt_nc = sum_hw dy."""
        of_add, of_mul = sums(dy, x) if self.mul else (dy.sum((2, 3)), None)
        gradients = [of_mul] * self.mul + [of_add] * self.add
        return tuple(gradient.to(gate.dtype) for gradient, gate in strict_zip(gradients, gates))

    def map_gradient(self, given: BackwardInputs) -> Tensors:
        """Computes dx = g dy + dz a + w dl.

        Here a are the weights of the places, dz is the gradient of the descriptor and dl that of the logits.
        """
        dy, x, gates, weights, _, kept, gradients = given
        of_context = gradients[0].to(dy.dtype)[:, :, None]
        if not self.attention:
            shift = of_context[:, :, 0] / (x.shape[2] * x.shape[3])
            scale = gates[0].to(dy.dtype) if self.mul else torch.ones_like(shift)
            return (scale_and_shift(dy, scale, shift),)
        rows = x.flatten(2)
        places = at_least_float32(kept[0])
        of_places = (rows.transpose(1, 2) @ of_context).to(places.dtype)
        of_logits = places * (of_places - (places * of_places).sum(1, keepdim=True))
        weight = weights[0].to(dy.dtype).flatten()[:, None].expand(len(x), -1, 1)
        left = torch.cat([of_context, weight], 2)
        right = torch.cat([places, of_logits], 2).transpose(1, 2).to(dy.dtype)
        if self.mul:
            dx = recalibrate(dy, gates[0][:, :, None, None])
            dx.flatten(2).baddbmm_(left, right)
        else:
            dx = torch.baddbmm(dy.flatten(2), left, right).view(x.shape)
        of_weight = (rows @ of_logits.to(rows.dtype)).sum(0)
        return (
            dx,
            of_weight.view_as(weights[0]).to(weights[0].dtype),
            of_logits.sum().view_as(weights[1]).to(weights[1].dtype),
        )
