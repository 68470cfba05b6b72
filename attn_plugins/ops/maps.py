"""Operations on whole maps for the backwards of the ops, each in one pass: sums of products, and a scale and shift.

torch's own batch norm has fast loops for both on every device; for it a map (N, C, H, W) is viewed as one with N C
channels. Small maps, where a loop per channel costs more than it saves, and maps in channels_last, in half precision or
without values are computed by plain tensor operations."""

import torch
import torch.nn.functional as F
from torch import Tensor

#: Number of places from which a loop per channel is faster (8 to 32 samples of 48 to 576 channels on a CPU, one and two
#: threads).
MANY_PLACES = 256


def sum_of_products(a: Tensor, b: Tensor) -> Tensor:
    """Computes sum_hw a_nchw b_nchw, (N, C, H, W) twice -> (N, C)."""
    return sums(a, b)[1] if _as_channels(a, b) else (a * b).sum((2, 3))


def sums(a: Tensor, b: Tensor, mean: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Computes sum_hw a_nchw and sum_hw a_nchw (b_nchw - mean_c): (N, C, H, W) twice, (C,) -> (N, C) twice.

    Without `mean`, mean_c is 0.
    """
    if not _as_channels(a, b):
        of_a, of_products = a.sum((2, 3)), (a * b).sum((2, 3))
        return of_a, of_products if mean is None else of_products - mean * of_a
    ones = torch.ones(a.shape[0] * a.shape[1], dtype=a.dtype, device=a.device)
    means = torch.zeros_like(ones) if mean is None else mean.repeat(a.shape[0])
    _, of_products, of_a = torch.ops.aten.native_batch_norm_backward(
        _channels(a), _channels(b), None, means, ones, means, ones, True, 0.0, [False, True, True]
    )
    return of_a.view(a.shape[:2]), of_products.view(a.shape[:2])


def scale_and_shift(x: Tensor, scale: Tensor, shift: Tensor | None) -> Tensor:
    """Computes y = scale * x + shift with a scale and a shift per sample and channel, (N, C) each; no shift is 0."""
    if shift is None:
        return x * scale[:, :, None, None]
    if not _as_channels(x, x):
        return torch.addcmul(laid_out_as(x, shift[:, :, None, None]), x, scale[:, :, None, None])
    zeros, ones = torch.zeros_like(scale).flatten(), torch.ones_like(scale).flatten()
    y = F.batch_norm(_channels(x), zeros, ones, scale.flatten(), shift.flatten(), False, 0.0, 0.0)
    return in_shape(y, x)


def dense(x: Tensor) -> Tensor:
    """Returns the map itself if it has one of torch's two memory formats, else a contiguous copy.

    In these formats the places of a map are one axis.
    """
    standard = x.is_contiguous() or x.is_contiguous(memory_format=torch.channels_last)
    return x if standard else x.contiguous()


def laid_out_as(x: Tensor, part: Tensor) -> Tensor:
    """Converts a part of a map, (N, 1 or C, 1 or H, 1 or W), to the map's memory format, so that sums keep it."""
    only_channels_last = not x.is_contiguous() and x.is_contiguous(memory_format=torch.channels_last)
    return part.contiguous(
        memory_format=torch.channels_last if only_channels_last else torch.contiguous_format
    )


def variance_and_mean(x: Tensor, correction: int = 0) -> tuple[Tensor, Tensor]:
    """Computes the variance, divided by H W less a correction, and the mean over space, (N, C) each.

    On a CPU torch's `var_mean` takes ten times as long as either method here; in half precision only it rounds once.
    """
    if not x.is_cpu or x.dtype in (torch.float16, torch.bfloat16):
        return torch.var_mean(x, (2, 3), correction=correction)
    size = x.shape[2] * x.shape[3]
    if x.is_contiguous() and x.numel() > 0:
        mean, variance = torch.batch_norm_update_stats(_channels(x), None, None, 0.0)
        mean, variance = mean.view(x.shape[:2]), variance.view(x.shape[:2])
    else:
        mean = x.mean((2, 3))
        variance = (x - mean[:, :, None, None]).square_().mean((2, 3))
    return variance * (size / (size - correction)) if correction else variance, mean


def batch_statistics(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Computes the means of the samples, (N, C), and mean and variance of the batch, divided by N H W, (C,) each."""
    if x.is_cpu and not x.is_contiguous():
        return x.mean((2, 3)), *torch.batch_norm_update_stats(x, None, None, 0.0)
    return _of_batch(*variance_and_mean(x))


def batch_statistics_as_published(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Computes `batch_statistics` by torch's `var_mean`, which compilers fuse and autograd differentiates."""
    return _of_batch(*torch.var_mean(x, (2, 3), correction=0))


def _of_batch(variances: Tensor, means: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    mean = means.mean(0)
    return means, mean, (variances + (means - mean).square()).mean(0)


def in_shape(y: Tensor, x: Tensor) -> Tensor:
    """Reshapes a new result to the shape of `x`, without making it a view.

    The result of a `Function` may be changed in place, which a view may not.
    """
    return torch.ops.aten._unsafe_view(y, x.shape)


def _as_channels(*maps: Tensor) -> bool:
    return maps[0].dtype == maps[-1].dtype and all(
        x.is_contiguous()
        and x.numel() > 0
        and x.shape[2] * x.shape[3] >= MANY_PLACES
        and x.dtype in (torch.float32, torch.float64)
        for x in maps
    )


def _channels(x: Tensor) -> Tensor:
    return x.view(1, -1, *x.shape[2:])
