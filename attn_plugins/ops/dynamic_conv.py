"""Depth-wise convolution whose kernel differs from place to place (dynamic convolution, arXiv:1901.10430)."""

import torch.nn.functional as F
from torch import Tensor

from attn_plugins.ops.mode import with_formula


@with_formula
def dynamic_depthwise(
    value: Tensor, weights: Tensor, kernel_size: int, stride: tuple[int, int], dilation: tuple[int, int]
) -> Tensor:
    """Computes y_c(p) = sum_t weights_{g(c), t}(p) value_c(p * stride + (t - centre) * dilation), with zero padding.

    It does one multiply-add per tap and does not unfold the neighbourhood, which would store k^2 copies of the map.

    Args:
        value (Tensor): The map, (N, C, H, W).
        weights (Tensor): The kernels, (N, G, k^2, H', W') with H' = ceil(H / stride); G divides C, and consecutive
            channels share a kernel.
        kernel_size (int): k, odd.
        stride (tuple): Vertical and horizontal.
        dilation (tuple): Vertical and horizontal.

    Returns:
        Tensor: (N, C, H', W').
    """
    reach = [kernel_size // 2 * step for step in dilation]
    padded = F.pad(value, (reach[1], reach[1], reach[0], reach[0])).unflatten(1, (weights.shape[1], -1))
    height, width = weights.shape[3], weights.shape[4]
    result = None
    for tap in range(kernel_size * kernel_size):
        top, left = tap // kernel_size * dilation[0], tap % kernel_size * dilation[1]
        rows = padded[:, :, :, top : top + (height - 1) * stride[0] + 1 : stride[0]]
        part = rows[..., left : left + (width - 1) * stride[1] + 1 : stride[1]] * weights[:, :, None, tap]
        result = part if result is None else result + part
    return result.flatten(1, 2)


def dynamic_depthwise_as_published(
    value: Tensor, weights: Tensor, kernel_size: int, stride: tuple[int, int], dilation: tuple[int, int]
) -> Tensor:
    """Computes `dynamic_depthwise` with the k^2 neighbours of every place side by side."""
    padding = tuple(kernel_size // 2 * step for step in dilation)
    neighbours = F.unfold(value, kernel_size, dilation, padding, stride)
    neighbours = neighbours.unflatten(1, (value.shape[1], -1)).unflatten(3, weights.shape[3:])
    per_channel = weights.repeat_interleave(value.shape[1] // weights.shape[1], 1)
    return (neighbours * per_channel).sum(2)
