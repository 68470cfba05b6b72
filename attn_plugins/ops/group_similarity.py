"""How similar each place of a channel group is to the group's mean (SGE, arXiv:1905.09646)."""

from torch import Tensor

from attn_plugins.ops.pool import at_least_float32, standardize


def group_similarity(groups: Tensor, eps: float, unbiased: bool) -> Tensor:
    """t_i = <mean_j x_j, x_i> per group, standardised over space: (t - mean t) / (std t + eps).

    It is computed as published.

    Args:
        groups (Tensor): The map with its channels in groups, (N, G, C/G, H, W).
        eps (float): Added to the standard deviation.
        unbiased (bool): Whether the variance divides by H W - 1.

    Returns:
        Tensor: (N, G, H, W), at least float32.
    """
    similarity = (groups * groups.mean((3, 4), keepdim=True)).sum(2)
    return standardize(at_least_float32(similarity), eps, unbiased)
