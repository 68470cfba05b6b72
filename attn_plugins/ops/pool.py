"""Pooling by plain reductions: deterministic, exportable and faster than adaptive pooling.

Each is computed as its docstring says; the tests compare with torch's pooling and with the sums written out. If several
places have the maximum, the first of them gets the gradient, as in torch's max pooling.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from attn_plugins.compat import in_compiler


def global_mean(x: Tensor) -> Tensor:
    """Computes the mean over space: z_nc = 1/(H W) sum_hw x_nchw, (N, C, H, W) -> (N, C)."""
    return x.mean((2, 3))


def global_max(x: Tensor) -> Tensor:
    """Computes the maximum over space: z_nc = max_hw x_nchw, (N, C, H, W) -> (N, C)."""
    return maximum(x.flatten(2), 2)


def maximum(x: Tensor, dim: int, keepdim: bool = False) -> Tensor:
    """Computes the maximum along an axis.

    Where nothing is differentiated, torch has a faster reduction, which does not find the place.

    In a compiled graph several equal maxima share their gradient. The places that torch finds there are wrong where it
    fuses two maxima (seen in torch 2.12.1 on a CPU, CBAM on a map of 56 x 56), so they are not used.
    """
    by_place = torch.is_grad_enabled() and not torch.jit.is_tracing() and not in_compiler()
    return x.max(dim, keepdim).values if by_place else x.amax(dim, keepdim)


def at_least_float32(x: Tensor) -> Tensor:
    """Converts half precision to float32, for sums that would overflow it; float32 and float64 stay."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def global_l1(x: Tensor) -> Tensor:
    """Computes z_nc = sum_hw |x_nchw|, (N, C, H, W) -> (N, C), at least float32."""
    return at_least_float32(x).abs().sum((2, 3))


def global_square_sum(x: Tensor) -> Tensor:
    """Computes z_nc = sum_hw x_nchw^2, (N, C, H, W) -> (N, C), at least float32."""
    return at_least_float32(x).square().sum((2, 3))


def variance_correction(x: Tensor, unbiased: bool) -> int:
    """Returns torch's `correction` for a variance over space; it is 0 for a 1x1 map, so that its variance is 0."""
    return int(unbiased and x.shape[-2] * x.shape[-1] > 1)


def global_var_mean(x: Tensor, unbiased: bool) -> tuple[Tensor, Tensor]:
    """Computes variance and mean over space in one pass: (N, C, H, W) -> (N, C) each; `unbiased` divides by H W - 1."""
    return torch.var_mean(x, (2, 3), correction=variance_correction(x, unbiased))


def standardize(x: Tensor, eps: float, unbiased: bool) -> Tensor:
    """Computes (x - mean_hw) / (std_hw + eps) over the last two dimensions, at least float32; 0 for a constant map."""
    x = at_least_float32(x)
    x = x - x.mean((-2, -1), keepdim=True)
    return x / (x.std((-2, -1), correction=variance_correction(x, unbiased), keepdim=True) + eps)


def strided_mean(x: Tensor, extent: int) -> Tensor:
    """Computes the means of windows of 2 e - 1 around every e-th place, over what lies inside the map.

    (N, C, H, W) -> (N, C, ceil(H / e), ceil(W / e)).
    """
    return F.avg_pool2d(x, 2 * extent - 1, extent, extent - 1, count_include_pad=False)


def max_pool_2x2(x: Tensor) -> Tensor:
    """Pools adjacent 2 x 2 windows by maxima; an axis of length 1 stays: (N, C, H, W) -> (N, C, H // 2, W // 2)."""
    return F.max_pool2d(x, (min(2, x.shape[2]), min(2, x.shape[3])))
