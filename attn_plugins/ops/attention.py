"""Attention among the places or the channels of a map; the places of a map are read row by row.

Used by non-local (arXiv:1711.07971), DANet (arXiv:1809.02983) and A^2-Nets (arXiv:1810.11579). A function that computes
its formula in another order has an `..._as_published` beside it, which stores a weight for every pair; the tests
compare the two.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from attn_plugins.ops.mode import is_transformed, is_watched, with_formula, without_autocast
from attn_plugins.ops.pool import at_least_float32
from attn_plugins.ops.twice import differentiable_twice


def split_heads(x: Tensor, heads: int = 1) -> Tensor:
    """Turns a map into one row per place: (N, heads * d, H, W) -> (N, heads, H * W, d), a view of a channels_last map.

    The rows are contiguous, as the fused kernels require.
    """
    rows = x.permute(0, 2, 3, 1).contiguous().flatten(1, 2)
    return rows.unflatten(2, (heads, -1)).transpose(1, 2)


def join_heads(rows: Tensor, height: int, width: int) -> Tensor:
    """Inverts `split_heads`: (N, heads, H * W, d) -> (N, heads * d, H, W), in channels_last."""
    return rows.transpose(1, 2).flatten(2).unflatten(1, (height, width)).permute(0, 3, 1, 2)


def rows_of_heads(x: Tensor, heads: int) -> Tensor:
    """Does the same as `split_heads` as a view of any map; for products that accept rows in any layout."""
    # Not `unflatten`: after it an ONNX export treats the batch size as a constant.
    samples, channels, height, width = x.shape[0], x.shape[1], x.shape[2], x.shape[3]
    return x.reshape(samples, heads, channels // heads, height * width).transpose(2, 3)


def map_of_rows(rows: Tensor, height: int, width: int) -> Tensor:
    """Inverts `rows_of_heads`: (N, heads, H * W, d) -> (N, heads * d, H, W)."""
    return rows.transpose(2, 3).flatten(1, 2).unflatten(2, (height, width))


@with_formula
def attend(
    query: Tensor, key: Tensor, value: Tensor, scale: float = 1.0, mask: Tensor | None = None
) -> Tensor:
    """Computes y_i = sum_j softmax_j(scale * q_i . k_j) v_j; a fused kernel, if there is one, never stores the weights.

    Such kernels have a first derivative only. Other derivatives are taken of the formula, which stores the weights.

    Args:
        query (Tensor): (N, heads, L, d).
        key (Tensor): (N, heads, M, d).
        value (Tensor): (N, heads, M, e).
        scale (float): Factor of the products; the published methods here mostly have none.
        mask (Tensor, optional): Boolean, broadcasts to (N, heads, L, M); True where j is visible from i.

    Returns:
        Tensor: (N, heads, L, e).
    """
    # torch 2.1 neither casts the operator under autocast on a CPU nor exports it with a scale.
    query, key = query.to(value.dtype), key.to(value.dtype)
    if is_transformed():
        return attend_as_published(query, key, value, scale, mask)
    rows = _attend_by_kernel(query, key, value, scale, mask)
    if not torch.is_grad_enabled() or is_watched(value):
        return rows
    return differentiable_twice(
        rows, lambda *given: attend_as_published(*given, scale, mask), query, key, value
    )


def _attend_by_kernel(query: Tensor, key: Tensor, value: Tensor, scale: float, mask: Tensor | None) -> Tensor:
    """Computes `attend` by torch's operator; all inputs have one dtype."""
    width = value.shape[-1]
    if query.is_cpu and not torch.jit.is_tracing():
        query, key, value = _pad_to_one_width(query, key, value)
    if torch.onnx.is_in_onnx_export():
        query, scale = query * (scale * query.shape[-1] ** 0.5), None
    if value.dtype in (torch.float16, torch.bfloat16):
        # The weights add up to one, so a part that all values share can be subtracted before and added after: else the
        # kernels' backward would subtract it with rounding errors.
        shared = _shared_part(value.detach())
        rows = F.scaled_dot_product_attention(query, key, value - shared, mask, scale=scale) + shared
    else:
        rows = F.scaled_dot_product_attention(query, key, value, mask, scale=scale)
    return rows if rows.shape[-1] == width else rows[..., :width]


def _shared_part(value: Tensor) -> Tensor:
    """Computes the mean of the values, (N, heads, 1, e), rounded to steps of the largest of them.

    So it can be subtracted from the values without rounding.
    """
    mean = value.mean(-2, keepdim=True)
    largest = value.abs().amax(-2, keepdim=True) * mean.sign()
    return mean - largest + largest


def attend_as_published(
    query: Tensor, key: Tensor, value: Tensor, scale: float = 1.0, mask: Tensor | None = None
) -> Tensor:
    """Computes `attend` with the whole map of weights: (N, heads, L, M) numbers."""
    products = scale * torch.einsum('nhid,nhjd->nhij', query, key)
    if mask is not None:
        products = products.masked_fill(~mask, float('-inf'))
    return torch.einsum('nhij,nhje->nhie', products.softmax(-1), value)


def _pad_to_one_width(*rows: Tensor) -> list[Tensor]:
    """Pads rows with zeros to the same width, which changes no product: the CPU's fused kernel needs d = e.

    Exports have no such kernel.
    """
    widest = max(part.shape[-1] for part in rows)
    return [part if part.shape[-1] == widest else F.pad(part, (0, widest - part.shape[-1])) for part in rows]


@with_formula
def attend_linearly(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Computes y_i = 1/M sum_j (q_i . k_j) v_j as q (k^T v) / M, without an (L, M) map. Shapes as in `attend`."""
    return query @ (key.transpose(-2, -1) / key.shape[-2] @ value)


def attend_linearly_as_published(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Computes `attend_linearly` with the whole map of weights (q_i . k_j) / M."""
    weights = torch.einsum('nhid,nhjd->nhij', query, key) / key.shape[-2]
    return torch.einsum('nhij,nhje->nhie', weights, value)


def attend_by_sum(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Computes y_i = 1/M sum_j relu(q_i + k_j) v_j; stores one number per pair.

    Published as relu(w . [theta_i, phi_j]): w's two halves are applied before the pairs are formed.

    Args:
        query (Tensor): One number per place, (N, heads, L, 1).
        key (Tensor): One number per place, (N, heads, M, 1).
        value (Tensor): (N, heads, M, e).

    Returns:
        Tensor: (N, heads, L, e).
    """
    return torch.relu(query + key.transpose(-2, -1)) @ (value / key.shape[-2])


def attend_by_sum_as_published(theta: Tensor, phi: Tensor, value: Tensor, weight: Tensor) -> Tensor:
    """Computes y_i = 1/M sum_j relu(w . [theta_i, phi_j]) v_j; stores d numbers per pair.

    Args:
        theta (Tensor): (N, heads, L, d).
        phi (Tensor): (N, heads, M, d).
        value (Tensor): (N, heads, M, e).
        weight (Tensor): w, (2 d,).

    Returns:
        Tensor: (N, heads, L, e).
    """
    pairs = torch.cat(torch.broadcast_tensors(theta[:, :, :, None], phi[:, :, None]), -1)
    return torch.relu(pairs @ weight) @ value / phi.shape[2]


@with_formula
def attend_channels(x: Tensor, sign: float) -> Tensor:
    """Computes attention among channels: y_c = sum_d softmax_d(sign * x_c . x_d) x_d, (N, C, H, W) -> (N, C, H, W).

    The authors' code computes softmax_d(max_d(x_c . x_d) - x_c . x_d), which equals the sign -1
    (`attend_channels_as_published`). The products are sums over all places, too large for half precision: they are
    computed in at least float32.
    """
    rows = x.flatten(2)
    with without_autocast(x):
        exact = at_least_float32(rows)
        weights = torch.softmax(sign * (exact @ exact.transpose(1, 2)), 2)
        return (weights @ exact).unflatten(2, x.shape[2:]).to(x.dtype)


def attend_channels_as_published(x: Tensor, sign: float) -> Tensor:
    """Computes `attend_channels` as published, (N, C, H, W) -> (N, C, H, W).

    With the sign -1 it is the authors' code: y_c = sum_d softmax_d(max_d(x_c . x_d) - x_c . x_d) x_d.
    """
    energy = torch.einsum('nchw,ndhw->ncd', x, x)
    if sign < 0:
        energy = energy.max(2, keepdim=True).values - energy
    weights = energy.softmax(2)
    return torch.einsum('ncd,ndhw->nchw', weights, x)


def gather_and_distribute(feature: Tensor, gather: Tensor, distribute: Tensor) -> Tensor:
    """Computes y_i = sum_m G_m softmax_m(distribute_i), G_m = sum_j softmax_j(gather_m) feature_j, as written.

    Args:
        feature (Tensor): (N, e, H, W).
        gather (Tensor): Logits of M maps over the places, (N, M, H, W).
        distribute (Tensor): Logits of every place over the M maps, (N, M, H, W).

    Returns:
        Tensor: (N, e, H, W).
    """
    maps = torch.softmax(gather.flatten(2), 2).to(feature.dtype)
    gathered = feature.flatten(2) @ maps.transpose(1, 2)
    shares = torch.softmax(distribute.flatten(2), 1).to(feature.dtype)
    return (gathered @ shares).unflatten(2, feature.shape[2:])
