"""Projections of a map on separable two-dimensional DCT bases, at any size of the map (FcaNet, arXiv:2012.11879)."""

import math

import torch
from torch import Tensor

from attn_plugins.ops.mode import with_formula


def dct_factors(frequencies: list[int], length: int) -> Tensor:
    """Computes one axis of the bases: f_u(p) = cos(pi u (p + 1/2) / L) / sqrt(L), times sqrt(2) for u > 0.

    Args:
        frequencies (list[int]): u of each basis, F of them.
        length (int): L.

    Returns:
        Tensor: (F, L), float64.
    """
    u = torch.tensor(frequencies, dtype=torch.float64)[:, None]
    p = torch.arange(length, dtype=torch.float64)
    waves = torch.cos(math.pi * u * (p + 0.5) / length) / math.sqrt(length)
    return torch.where(u > 0, waves * math.sqrt(2), waves)


def pool_matrix(outputs: int, inputs: int, like: Tensor) -> Tensor:
    """Builds adaptive average pooling of one axis as a matrix: window i is [floor(i I / O), ceil((i + 1) I / O)).

    Args:
        outputs (int): O.
        inputs (int): I, smaller or larger than O.
        like (Tensor): Gives device and dtype.

    Returns:
        Tensor: (O, I), each row sums to one.
    """
    window = torch.arange(outputs, device=like.device)[:, None]
    place = torch.arange(inputs, device=like.device)
    start = torch.div(window * inputs, outputs, rounding_mode='floor')
    end = torch.div((window + 1) * inputs + outputs - 1, outputs, rounding_mode='floor')
    inside = (place >= start) & (place < end)
    return inside.to(like.dtype) / (end - start).to(like.dtype)


def fit_bases(factors: Tensor, length: int) -> Tensor:
    """Fits the bases of one axis to another length, through adaptive average pooling: (F, L) -> (F, length).

    Projecting the map on the result equals pooling the map to L places and projecting that on `factors`. It needs no
    pass over the map, and its backward is deterministic, unlike that of adaptive pooling on CUDA.
    """
    if length == factors.shape[1] and not torch.jit.is_tracing():
        return factors
    return (factors[:, :, None] * pool_matrix(factors.shape[1], length, factors)).sum(1)


@with_formula
def grouped_dct(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Projects each channel on the basis of its group: z_nc = sum_hw x_nchw rows_f(h) columns_f(w), f = floor(c F / C).

    Args:
        x (Tensor): The map, (N, C, H, W), C divisible by F.
        rows (Tensor): The bases along the height, (F, L_h); a map of another height is average-pooled to L_h.
        columns (Tensor): The bases along the width, (F, L_w).

    Returns:
        Tensor: (N, C), the dtype of `x`.
    """
    groups = x.unflatten(1, (rows.shape[0], -1))
    return (groups * bases(rows, columns, x)[:, None]).sum((3, 4)).flatten(1)


def bases(rows: Tensor, columns: Tensor, x: Tensor) -> Tensor:
    """Builds the bases for a map of any size, in its dtype: (F, L_h), (F, L_w) -> (F, H, W)."""
    return (fit_bases(rows, x.shape[2])[:, :, None] * fit_bases(columns, x.shape[3])[:, None, :]).to(x.dtype)


def grouped_dct_as_published(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Computes `grouped_dct` by adaptive average pooling to the size of the bases and one product per channel."""
    pooled = torch.nn.functional.adaptive_avg_pool2d(x, (rows.shape[1], columns.shape[1]))
    basis = torch.einsum('fh,fw->fhw', rows, columns).repeat_interleave(x.shape[1] // rows.shape[0], 0)
    return (pooled * basis.to(x.dtype)).sum((2, 3))
