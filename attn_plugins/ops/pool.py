"""Pooling by plain reductions: deterministic, exportable and faster than adaptive pooling.

Each is computed as its docstring says; the tests compare with torch's pooling and with the sums written out. A maximum
that several places have gives its gradient to the first of them, as torch's max pooling does.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from attn_plugins.compat import in_compiler


def global_mean(x: Tensor) -> Tensor:
    """Mean over space: z_nc = 1/(H W) sum_hw x_nchw, (N, C, H, W) -> (N, C)."""
    return x.mean((2, 3))


def global_max(x: Tensor) -> Tensor:
    """Maximum over space: z_nc = max_hw x_nchw, (N, C, H, W) -> (N, C)."""
    return maximum(x.flatten(2), 2)


def maximum(x: Tensor, dim: int, keepdim: bool = False) -> Tensor:
    """Maximum along an axis; where nothing is differentiated torch has a faster one, which knows no place.

    In a compiled graph several maxima share their gradient: the places that torch finds there are wrong where it
    fuses two maxima (seen in torch 2.12.1 on a CPU, CBAM on a map of 56 x 56), so it is not asked for them."""
    by_place = torch.is_grad_enabled() and not torch.jit.is_tracing() and not in_compiler()
    return x.max(dim, keepdim).values if by_place else x.amax(dim, keepdim)


def at_least_float32(x: Tensor) -> Tensor:
    """Half precision as float32, for sums that would overflow it; float32 and float64 as they are."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def global_l1(x: Tensor) -> Tensor:
    """z_nc = sum_hw |x_nchw|, (N, C, H, W) -> (N, C), at least float32."""
    return at_least_float32(x).abs().sum((2, 3))


def global_square_sum(x: Tensor) -> Tensor:
    """z_nc = sum_hw x_nchw^2, (N, C, H, W) -> (N, C), at least float32."""
    return at_least_float32(x).square().sum((2, 3))


def variance_correction(x: Tensor, unbiased: bool) -> int:
    """What torch calls the correction of a variance over space; a 1x1 map has variance 0 whatever was asked."""
    return int(unbiased and x.shape[-2] * x.shape[-1] > 1)


def global_var_mean(x: Tensor, unbiased: bool) -> tuple[Tensor, Tensor]:
    """Variance and mean over space in one pass: (N, C, H, W) -> (N, C) each; `unbiased` divides by H W - 1."""
    return torch.var_mean(x, (2, 3), correction=variance_correction(x, unbiased))


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
