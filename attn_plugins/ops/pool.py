"""Pooling by plain reductions: deterministic, exportable and faster than adaptive pooling.

Each is computed as its docstring says; the tests compare with torch's pooling and with the sums written out.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def global_mean(x: Tensor) -> Tensor:
    """Mean over space: z_nc = 1/(H W) sum_hw x_nchw, (N, C, H, W) -> (N, C)."""
    return x.mean((2, 3))


def global_max(x: Tensor) -> Tensor:
    """Maximum over space: z_nc = max_hw x_nchw, (N, C, H, W) -> (N, C). Ties share the gradient."""
    return x.amax((2, 3))


def at_least_float32(x: Tensor) -> Tensor:
    """Half precision as float32, for sums that would overflow it; float32 and float64 as they are."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def global_l1(x: Tensor) -> Tensor:
    """z_nc = sum_hw |x_nchw|, (N, C, H, W) -> (N, C), at least float32."""
    return at_least_float32(x).abs().sum((2, 3))


def global_l2(x: Tensor, eps: float) -> Tensor:
    """z_nc = sqrt(sum_hw x_nchw^2 + eps), (N, C, H, W) -> (N, C), at least float32."""
    return (at_least_float32(x).square().sum((2, 3)) + eps).sqrt()


def variance_correction(x: Tensor, unbiased: bool) -> int:
    """What torch calls the correction of a variance over space; a 1x1 map has variance 0 whatever was asked."""
    return int(unbiased and x.shape[-2] * x.shape[-1] > 1)


def global_mean_std(x: Tensor, eps: float, unbiased: bool) -> tuple[Tensor, Tensor]:
    """Mean and sqrt(var_hw + eps) in one pass: (N, C, H, W) -> (N, C) each; `unbiased` divides by H W - 1."""
    var, mean = torch.var_mean(x, (2, 3), correction=variance_correction(x, unbiased))
    return mean, (var + eps).sqrt()


def standardize(x: Tensor, eps: float, unbiased: bool) -> Tensor:
    """(x - mean_hw) / (std_hw + eps) over the last two dimensions, at least float32; a constant map gives 0."""
    x = at_least_float32(x)
    x = x - x.mean((-2, -1), keepdim=True)
    return x / (x.std((-2, -1), correction=variance_correction(x, unbiased), keepdim=True) + eps)


def strided_mean(x: Tensor, extent: int) -> Tensor:
    """Means of windows of 2 e - 1 around every e-th place, of what lies inside the map.

    (N, C, H, W) -> (N, C, ceil(H / e), ceil(W / e)).
    """
    return F.avg_pool2d(x, 2 * extent - 1, extent, extent - 1, count_include_pad=False)


def max_pool_2x2(x: Tensor) -> Tensor:
    """Maxima of windows of 2 x 2 side by side; an axis of length 1 stays: (N, C, H, W) -> (N, C, H // 2, W // 2)."""
    return F.max_pool2d(x, (min(2, x.shape[2]), min(2, x.shape[3])))


def row_mean(x: Tensor) -> Tensor:
    """Mean over the width, one value per row: (N, C, H, W) -> (N, C, H, 1)."""
    return x.mean(3, keepdim=True)


def column_mean(x: Tensor) -> Tensor:
    """Mean over the height, one value per column: (N, C, H, W) -> (N, C, 1, W)."""
    return x.mean(2, keepdim=True)


def strip_mean(x: Tensor) -> Tensor:
    """A descriptor per row and per column, rows first: (N, C, H, W) -> (N (H + W), C)."""
    strips = torch.cat([row_mean(x)[..., 0], column_mean(x)[:, :, 0]], 2)
    return strips.transpose(1, 2).flatten(0, 1)


def channel_max_mean(x: Tensor) -> Tensor:
    """Maximum and mean over the channels, in this order: (N, C, H, W) -> (N, 2, H, W)."""
    return torch.cat([x.amax(1, keepdim=True), x.mean(1, keepdim=True)], 1)
