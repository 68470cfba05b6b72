"""Relative position terms of attention, factored into features of the query and of the key.

A position is embedded per axis as [sin(D / w_f), cos(D / w_f)] of the difference D = a - b of two coordinates, with
w_f = 1000^(4 f / dim), f < dim / 4 (arXiv:1904.05873). Since sin(a - b) = sin a cos b - cos a sin b and
cos(a - b) = cos a cos b + sin a sin b, a product of any query with the embedding of (a, b) is a product of features of
(query, a) with features of b alone. So no map over all pairs of places is needed to add such terms to an attention.
It is not needed either if the term is computed axis by axis (`map_energies`). `relative_logits_as_published` computes
the term with that map; the tests compare."""

import torch
from torch import Tensor

from attn_plugins.compat import strict_zip
from attn_plugins.ops.mode import without_autocast
from attn_plugins.ops.pool import at_least_float32


def position_angles(length: int, step: float, dim: int, like: Tensor) -> Tensor:
    """Computes a / w_f of the coordinates a = 0, step, 2 step, ...; at least in float32.

    Args:
        length (int): Number of coordinates L.
        step (float): Distance between neighbours.
        dim (int): dim of the embedding, a multiple of 4.
        like (Tensor): Gives the device, and float64 if it is float64.

    Returns:
        Tensor: (L, dim / 4).
    """
    dtype = torch.float64 if like.dtype == torch.float64 else torch.float32
    options = {'device': like.device, 'dtype': dtype}
    wave_length = 1000 ** (torch.arange(dim // 4, **options) * (4 / dim))
    return torch.arange(length, **options)[:, None] * step / wave_length


def query_features(projected: Tensor, angles: Tensor) -> Tensor:
    """Computes the features of (query, a): the query's projection on the embedding, rotated by the angles of a.

    Args:
        projected (Tensor): The query's weights of [sin, cos], (..., dim / 2).
        angles (Tensor): Broadcasts to (..., dim / 4).

    Returns:
        Tensor: (..., dim / 2), `projected`'s dtype; its product with `key_features(b)` is
        projected . [sin(a - b), cos(a - b)].
    """
    of_sin, of_cos = projected.chunk(2, -1)
    sin, cos = angles.sin().to(projected.dtype), angles.cos().to(projected.dtype)
    return torch.cat([of_sin * sin + of_cos * cos, of_cos * sin - of_sin * cos], -1)


def key_features(angles: Tensor) -> Tensor:
    """Computes the features of b: (..., dim / 4) -> (..., dim / 2)."""
    return torch.cat([angles.cos(), angles.sin()], -1)


def map_query_features(
    query: Tensor, weights: tuple[Tensor, Tensor], angles: tuple[Tensor, Tensor]
) -> Tensor:
    """Computes the features of every query of a map for q . (W_x p(dx) + W_y p(dy)).

    Args:
        query (Tensor): (N, heads, H, W, d); H and W are 1 for a query that is the same everywhere.
        weights (tuple): W_x and W_y, each (heads, d, dim / 2).
        angles (tuple): Of the W columns and of the H rows, (W, dim / 4) and (H, dim / 4).

    Returns:
        Tensor: (N, heads, H * W, dim).
    """
    of_x, of_y = [
        (query.flatten(2, 3) @ weight).unflatten(2, (query.shape[2], query.shape[3])) for weight in weights
    ]
    columns, rows = angles
    features = torch.broadcast_tensors(query_features(of_x, columns), query_features(of_y, rows[:, None]))
    return torch.cat(features, -1).flatten(2, 3)


def map_key_features(angles: tuple[Tensor, Tensor]) -> Tensor:
    """Computes the features of every key of a map, from the angles of its columns and rows: -> (H * W, dim)."""
    columns, rows = angles
    features = torch.broadcast_tensors(key_features(columns)[None], key_features(rows)[:, None])
    return torch.cat(features, -1).flatten(0, 1)


def relative_logits_as_published(
    query: Tensor,
    weights: tuple[Tensor, Tensor],
    angles: tuple[Tensor, Tensor],
    key_angles: tuple[Tensor, Tensor],
) -> Tensor:
    """Computes q . (W_x p(dx) + W_y p(dy)) with the embedding p of every difference.

    It equals `map_query_features` @ `map_key_features`^T.

    Args:
        query (Tensor): (N, heads, H, W, d).
        weights (tuple): W_x and W_y, each (heads, d, dim / 2).
        angles (tuple): Of the queries' W columns and H rows, (W, dim / 4) and (H, dim / 4).
        key_angles (tuple): Of the keys' columns and rows.

    Returns:
        Tensor: (N, heads, queries, keys), both row by row.
    """
    projected = []
    for weight, a, b in strict_zip(weights, angles, key_angles):
        difference = a[:, None] - b
        embedding = torch.cat([difference.sin(), difference.cos()], -1)
        projected.append(torch.einsum('hdp,abp->habd', weight, embedding))
    horizontal = torch.einsum('nhyxd,hxad->nhyxa', query, projected[0])
    vertical = torch.einsum('nhyxd,hybd->nhyxb', query, projected[1])
    return (vertical[..., None] + horizontal[..., None, :]).flatten(4).flatten(2, 3)


def map_energies(
    query: Tensor,
    weights: tuple[Tensor, Tensor],
    angles: tuple[Tensor, Tensor],
    key_angles: tuple[Tensor, Tensor],
    visible: tuple[Tensor | None, Tensor | None] = (None, None),
) -> tuple[Tensor, Tensor]:
    """Computes q . W_x p(dx) and q . W_y p(dy) of every query of a map, at least in float32.

    Their sums are the term of all pairs.

    Args:
        query (Tensor): (N, heads, H, W, d); H and W are 1 for a query that is the same everywhere.
        weights (tuple): W_x and W_y, each (heads, d, dim / 2).
        angles (tuple): Of the queries' W columns and H rows, (W, dim / 4) and (H, dim / 4).
        key_angles (tuple): Of the keys' columns and rows.
        visible (tuple): Boolean, which of the keys' columns the queries' columns see, and which rows; None for all.

    Returns:
        tuple: (N, heads, H * W, columns) and (N, heads, H * W, rows); -inf where a key is not visible.
    """
    size = query.shape[0], query.shape[1], angles[1].shape[0], angles[0].shape[0]
    with without_autocast(query):
        query = at_least_float32(query)
        if query.shape[2] == query.shape[3] == 1:
            of_axes = [
                axis_energies(query[:, :, 0, 0], *axis)
                for axis in strict_zip(weights, angles, key_angles, visible)
            ]
            of_columns, of_rows = of_axes[0][:, :, None], of_axes[1][:, :, :, None]
        else:
            of_columns, of_rows = [
                torch.einsum(formula, query, embedded_differences(weight, a, b))
                for formula, weight, a, b in strict_zip(
                    ('nhyxd,hxad->nhyxa', 'nhyxd,hyad->nhyxa'), weights, angles, key_angles
                )
            ]
            of_columns = _hide(of_columns, visible[0])
            of_rows = _hide(of_rows, None if visible[1] is None else visible[1][:, None])
        return tuple(x.expand(*size, -1).flatten(2, 3) for x in (of_columns, of_rows))


def embedded_differences(weight: Tensor, angles: Tensor, key_angles: Tensor) -> Tensor:
    """Computes W p(a - b) of every pair of coordinates.

    (heads, d, dim / 2), (L, dim / 4), (M, dim / 4) -> (heads, L, M, d).
    """
    difference = angles[:, None] - key_angles
    embedding = torch.cat([difference.sin(), difference.cos()], -1).to(weight.dtype)
    return torch.einsum('hdp,abp->habd', weight, embedding)


def axis_energies(
    query: Tensor, weight: Tensor, angles: Tensor, key_angles: Tensor, visible: Tensor | None
) -> Tensor:
    """Computes q . W p(a - b) along one axis, for a query that is the same everywhere.

    Args:
        query (Tensor): (..., heads, d).
        weight (Tensor): W, (heads, d, dim / 2).
        angles (Tensor): Of the queries' coordinates a, (L, dim / 4).
        key_angles (Tensor): Of the keys' coordinates b, (M, dim / 4).
        visible (Tensor, optional): Boolean (L, M); True where b is visible from a.

    Returns:
        Tensor: (..., heads, L, M); -inf where b is not visible.
    """
    features = query_features(query[..., None, :] @ weight, angles)
    return _hide(features @ key_features(key_angles).to(features.dtype).transpose(0, 1), visible)


def axis_weights(
    query: Tensor, weight: Tensor, angles: Tensor, key_angles: Tensor, visible: Tensor | None
) -> Tensor:
    """Computes softmax_b(q . W p(a - b)), as in `axis_energies`, (heads, L, M)."""
    return torch.softmax(axis_energies(query, weight, angles, key_angles, visible), -1)


def _hide(energies: Tensor, visible: Tensor | None) -> Tensor:
    return energies if visible is None else energies.masked_fill(~visible, float('-inf'))


def visible_pairs(visible: tuple[Tensor | None, Tensor | None]) -> Tensor | None:
    """Combines which columns (W, W_k) and rows (H, H_k) are visible to which keys are: (H * W, H_k * W_k)."""
    columns, rows = visible
    if columns is None:
        return None
    return (rows[:, None, :, None] & columns[None, :, None, :]).flatten(2, 3).flatten(0, 1)


def visible_keys(length: int, stride: int, key_length: int, key_stride: int, reach: int, device) -> Tensor:
    """Computes which keys of one axis are visible: floor((a - reach) / s) <= j <= floor((a + reach + 1) / s).

    a is the query's coordinate in pixels, s the keys' stride: the window is rounded outwards to the keys' grid, so it
    is never empty.

    Args:
        length (int): Number of queries L.
        stride (int): Pixels between queries.
        key_length (int): Number of keys M.
        key_stride (int): s.
        reach (int): Pixels to either side.
        device (torch.device): Where the result lies.

    Returns:
        Tensor: Boolean (L, M).
    """
    query = torch.arange(length, device=device)[:, None] * stride
    key = torch.arange(key_length, device=device) * key_stride
    return (key + key_stride > query - reach) & (key <= query + reach + 1)
