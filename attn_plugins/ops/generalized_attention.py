"""Attention with terms of relative position (generalized attention, ICCV 2019, arXiv:1904.05873), on maps and on
sequences.
"""

import torch
from torch import Tensor

from attn_plugins.ops.attention_in_parts import attend_in_parts
from attn_plugins.ops.grid_attention import attend_by_features, one_hot_places, prefers_parts
from attn_plugins.ops.mode import with_formula
from attn_plugins.ops.relative_position import (
    embedded_differences,
    key_features,
    map_energies,
    map_key_features,
    map_query_features,
    query_features,
    relative_logits_as_published,
    visible_pairs,
)

Axes = tuple[Tensor, Tensor]
Visible = tuple[Tensor | None, Tensor | None]


def attend_with_positions(
    query: Tensor | None,
    key: Tensor | None,
    value: Tensor,
    vectors: Tensor,
    weights: Axes,
    angles: Axes,
    key_angles: Axes,
    visible: Visible = (None, None),
) -> Tensor:
    """Computes attention with terms of relative position, without a map over all pairs.

    y_i = sum_j softmax_j(q_i . k_j + p_i . (W_x p(dx) + W_y p(dy))) v_j.

    On a CPU the weights are computed part by part from the energies of the axes. Elsewhere the terms become features of
    queries and keys for a fused kernel. These are the energies, with a one for every key's column and row, or the
    rotated vectors. The latter are used if they are narrower, and in traces, which then work for other sizes too.

    Args:
        query (Tensor, optional): (N, heads, H * W, d); instead of H * W it may be 1, for the same query everywhere.
        key (Tensor, optional): (N, heads, M, d), with `query` only.
        value (Tensor): (N, heads, M, e).
        vectors (Tensor): p, (N, heads, H, W, f), or (1, heads, 1, 1, f) if it is the same everywhere.
        weights (tuple): W_x and W_y, each (heads, f, dim / 2).
        angles (tuple): Of the queries' W columns and H rows, (W, dim / 4) and (H, dim / 4).
        key_angles (tuple): Of the keys' columns and rows.
        visible (tuple): Boolean, which of the keys' columns are visible from the queries' columns, and which rows; None
            for all.

    Returns:
        Tensor: (N, heads, H * W, e).
    """
    places = angles[0].shape[0] * angles[1].shape[0]
    if query is not None:
        query = query.expand(-1, -1, places, -1)
    if prefers_parts(value):
        return attend_in_parts(
            query, key, value, *map_energies(vectors, weights, angles, key_angles, visible)
        )[0]
    if _rotates(weights, key_angles):
        of_query = [map_query_features(vectors, weights, angles)]
        of_key = map_key_features(key_angles)
    else:
        of_query = map_energies(vectors, weights, angles, key_angles)
        of_key = one_hot_places(key_angles[0].shape[0], key_angles[1].shape[0], value)
    return attend_by_features([query, *of_query], [key, of_key], value, visible_pairs(visible))


def _rotates(weights: Axes, key_angles: Axes) -> bool:
    """Tells whether the rotated vectors are the narrower features."""
    if torch.jit.is_tracing():
        return True
    return 2 * weights[0].shape[2] < key_angles[0].shape[0] + key_angles[1].shape[0]


def attend_with_positions_as_published(
    query: Tensor | None,
    key: Tensor | None,
    value: Tensor,
    vectors: Tensor,
    weights: Axes,
    angles: Axes,
    key_angles: Axes,
    visible: Visible = (None, None),
) -> Tensor:
    """Computes `attend_with_positions` with the embedding of every difference and the energies of all pairs."""
    grid = angles[1].shape[0], angles[0].shape[0]
    vectors = vectors.expand(value.shape[0], -1, *grid, -1)
    logits = relative_logits_as_published(vectors, weights, angles, key_angles)
    mask = visible_pairs(visible)
    if mask is not None:
        logits = logits.masked_fill(~mask, float('-inf'))
    if query is not None:
        logits = logits + torch.einsum('nhid,nhjd->nhij', query, key)
    return torch.einsum('nhij,nhje->nhie', logits.softmax(-1), value)


@with_formula
def attend_along_sequence(
    query: Tensor | None,
    key: Tensor | None,
    value: Tensor,
    vectors: Tensor,
    weight: Tensor,
    angles: Tensor,
    key_angles: Tensor,
    mask: Tensor | None = None,
) -> Tensor:
    """Computes `attend_with_positions` with one axis and any mask.

    y_i = sum_j softmax_j(q_i . k_j + p_i . W p(a_i - b_j)) v_j.

    Args:
        query (Tensor, optional): (N, heads, L, d), or (1, heads, 1, d) if it is the same everywhere.
        key (Tensor, optional): (N, heads, M, d), with `query` only.
        value (Tensor): (N, heads, M, e).
        vectors (Tensor): p, (N, heads, L, f), or (1, heads, 1, f) if it is the same everywhere.
        weight (Tensor): W, (heads, f, dim / 2).
        angles (Tensor): Of the queries' positions a, (L, dim / 4).
        key_angles (Tensor): Of the keys' positions b, (M, dim / 4).
        mask (Tensor, optional): Boolean, broadcasts to (N, heads, L, M); True where j is visible from i.

    Returns:
        Tensor: (N, heads, L, e).
    """
    if query is not None:
        query = query.expand(-1, -1, angles.shape[0], -1)
    of_position = query_features(vectors @ weight, angles)
    return attend_by_features([query, of_position], [key, key_features(key_angles)], value, mask)


def attend_along_sequence_as_published(
    query: Tensor | None,
    key: Tensor | None,
    value: Tensor,
    vectors: Tensor,
    weight: Tensor,
    angles: Tensor,
    key_angles: Tensor,
    mask: Tensor | None = None,
) -> Tensor:
    """Computes `attend_along_sequence` with the embedding of every difference and the energies of all pairs."""
    places = angles.shape[0]
    embedded = embedded_differences(weight, angles, key_angles)
    logits = torch.einsum('nhid,hijd->nhij', vectors.expand(-1, -1, places, -1), embedded)
    if query is not None:
        logits = logits + torch.einsum('nhid,nhjd->nhij', query.expand(-1, -1, places, -1), key)
    if mask is not None:
        logits = logits.masked_fill(~mask, float('-inf'))
    return torch.einsum('nhij,nhje->nhie', logits.softmax(-1).expand(value.shape[0], -1, -1, -1), value)
