"""How similar each place of a channel group is to the group's mean: the gate of SGE (Li et al., 2019,
arXiv:1905.09646).
"""

import torch
import torch.fx
from torch import Tensor

from attn_plugins.compat import strict_zip
from attn_plugins.ops.fused import Fused, Tensors
from attn_plugins.ops.maps import in_shape, scale_and_shift, sums, variance_and_mean
from attn_plugins.ops.mode import without_autocast
from attn_plugins.ops.pool import at_least_float32, standardize, variance_correction

# A symbolic trace must not look inside these functions: they read the dtype or the size.
torch.fx.wrap('at_least_float32')
torch.fx.wrap('standardize')


class SimilarityGate(Fused):
    """A gate from similarity: y_i = x_i * sigmoid(w_g t'_i + b_g) with t' = (t - mean_hw t) / (std_hw t + eps).

    t_i = <mean_hw x, x_i> per group. The parameters are w and b, (G,) each.

    Args:
        groups (int): G.
        eps (float): Added to the standard deviation.
        unbiased (bool): Whether the variance divides by H W - 1.
    """

    def __init__(self, groups: int, eps: float, unbiased: bool):
        self.groups, self.eps, self.unbiased = groups, eps, unbiased

    def fits(self, x: Tensor) -> bool:
        """Tells whether `forward` and `backward` work for a map: it has several places, and gradients are needed.

        The deviation of a single place is zero, divided by eps. Without gradients the formula is used: its element-wise
        products count as no multiply-adds.
        """
        return torch.is_grad_enabled() and x.shape[2] * x.shape[3] > 1

    def formula(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """Multiplies each place of a group by its gate: (N, C, H, W), (G,), (G,) -> (N, C, H, W)."""
        groups = x.unflatten(1, (self.groups, -1))
        exact = at_least_float32(groups)
        similarity = (exact * exact.mean((3, 4), keepdim=True)).sum(2)
        similarity = standardize(similarity, self.eps, self.unbiased)
        gate = torch.sigmoid(similarity * weight[:, None, None] + bias[:, None, None])
        return (groups * gate[:, :, None].to(x.dtype)).reshape(x.shape)

    def forward(self, x: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensors]:
        """Computes y, and keeps the group means, the similarities, their statistics and the gates."""
        groups = x.flatten(2).unflatten(1, (self.groups, -1))
        exact = at_least_float32(groups)
        means = exact.mean(3)
        with without_autocast(x):
            similarity = (means[:, :, None] @ exact).view(len(x), self.groups, *x.shape[2:])
        variance, mean = variance_and_mean(similarity, variance_correction(x, self.unbiased))
        std = variance.sqrt()
        scale = weight / (std + self.eps)
        gate = scale_and_shift(similarity, scale, bias - scale * mean).sigmoid_()
        y = groups * gate.flatten(2)[:, :, None].to(x.dtype)
        return in_shape(y, x), (means, similarity, mean, std, gate)

    def backward(self, dy: Tensor, inputs: Tensors, kept: Tensors) -> Tensors:
        """Computes the gradients: one pass for the gate's, one for that of the means, two for that of the map."""
        (x, weight, _), (means, similarity, mean, std, gate) = inputs, kept
        size = x.shape[2] * x.shape[3]
        groups = x.flatten(2).unflatten(1, (self.groups, -1))
        dy = dy.flatten(2).unflatten(1, (self.groups, -1))
        of_gate = at_least_float32((dy * groups).sum(2)).view(gate.shape)
        of_logit = torch.ops.aten.sigmoid_backward(of_gate, gate)
        of_bias, products = sums(of_logit, similarity)
        products = products - mean * of_bias  # with the centred similarity
        scale = weight / (std + self.eps)
        slope = -scale * products / ((std + self.eps) * (size - variance_correction(x, self.unbiased)) * std)
        slope = torch.where(std > 0, slope, 0)  # the root has no derivative at 0, where the map is constant
        shift = -scale * of_bias / size - slope * mean
        of_similarity = scale_and_shift(of_logit, scale, shift)
        of_similarity.addcmul_(similarity, slope[:, :, None, None])
        of_similarity = of_similarity.flatten(2).to(x.dtype)[:, :, None]
        of_means = (groups @ of_similarity.transpose(2, 3)) / size
        dx = (dy * gate.flatten(2)[:, :, None].to(dy.dtype)).flatten(0, 1)
        left = torch.cat([means.to(x.dtype)[..., None], of_means], 3).flatten(0, 1)
        right = torch.cat([of_similarity, of_similarity.new_ones(1).expand_as(of_similarity)], 2).flatten(
            0, 1
        )
        dx.baddbmm_(left, right)
        of_weight = (products / (std + self.eps)).sum(0)
        return dx.view(x.shape), of_weight.to(weight.dtype), of_bias.sum(0).to(weight.dtype)


def similarity_gate_as_published(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """Computes `SimilarityGate` with the unbiased deviation, group by group."""
    gated = []
    for groups, w, b in strict_zip(x.chunk(len(weight), 1), weight, bias):
        similarity = torch.einsum('nchw,nc->nhw', groups, groups.mean((2, 3)))
        deviation = similarity - similarity.mean((1, 2), keepdim=True)
        deviation = deviation / (similarity.std((1, 2), keepdim=True) + eps)
        gated.append(groups * torch.sigmoid(w * deviation + b)[:, None])
    return torch.cat(gated, 1)
