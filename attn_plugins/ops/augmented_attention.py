"""Self-attention over a map with learned relative positions (attention-augmented convolution, arXiv:1904.09925)."""

import torch
from torch import Tensor

from attn_plugins.ops.grid_attention import attend_on_grid
from attn_plugins.ops.mode import with_formula


def relative_embeddings(table: Tensor, length: int) -> Tensor:
    """Looks up the embedding of every offset between two places of an axis: r[i, j] = table[clip(j - i) + centre].

    Offsets outside the table get its outermost entry.

    Args:
        table (Tensor): (2 M - 1, d), the entry M - 1 is that of the offset zero.
        length (int): L, the axis' length.

    Returns:
        Tensor: (L, L, d), first query then key.
    """
    places = torch.arange(length, device=table.device)
    centre = table.shape[0] // 2
    return table[(places[None] - places[:, None]).clamp(-centre, centre) + centre]


@with_formula
def relative_attention(query: Tensor, key: Tensor, value: Tensor, table_h: Tensor, table_w: Tensor) -> Tensor:
    """Computes sum_j softmax_j(q_i . k_j + q_i . r_h[dy] + q_i . r_w[dx]) v_j over all places j of the map.

    The position terms are computed per axis; no map over all pairs is stored (`attend_on_grid`).

    Args:
        query (Tensor): Already scaled, (N, heads, d, H, W).
        key (Tensor): (N, heads, d, H, W).
        value (Tensor): (N, heads, e, H, W).
        table_h (Tensor): Embeddings of vertical offsets (key minus query), (2 M - 1, d).
        table_w (Tensor): Embeddings of horizontal offsets, (2 M - 1, d).

    Returns:
        Tensor: (N, heads, e, H, W).
    """
    height, width = query.shape[3], query.shape[4]
    vertical = torch.einsum('nhdyx,yzd->nhyxz', query, relative_embeddings(table_h, height).to(query.dtype))
    horizontal = torch.einsum('nhdyx,xzd->nhyxz', query, relative_embeddings(table_w, width).to(query.dtype))
    query, key, value = [x.flatten(3).transpose(2, 3) for x in (query, key, value)]
    rows = attend_on_grid(query, key, value, horizontal.flatten(2, 3), vertical.flatten(2, 3))
    return rows.transpose(2, 3).unflatten(3, (height, width))


def relative_attention_as_published(
    query: Tensor, key: Tensor, value: Tensor, table_h: Tensor, table_w: Tensor
) -> Tensor:
    """Computes `relative_attention` one query at a time, with the embeddings of both offsets for every pair."""
    height, width = query.shape[3], query.shape[4]
    rows, columns = relative_embeddings(table_h, height), relative_embeddings(table_w, width)
    attended = []
    for y in range(height):
        for x in range(width):
            embedded = key + (rows[y, :, None] + columns[x]).permute(2, 0, 1)
            weights = (query[..., y, x, None, None] * embedded).sum(2).flatten(2).softmax(2)
            attended.append((value.flatten(3) * weights[:, :, None]).sum(3))
    return torch.stack(attended, 3).unflatten(3, (height, width))


def append_channels(x: Tensor, more: Tensor) -> Tensor:
    """Concatenates channels, in x's dtype and memory format: (N, C, H, W), (N, D, H, W) -> (N, C + D, H, W)."""
    only_channels_last = x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
    memory_format = torch.channels_last if only_channels_last else torch.contiguous_format
    return torch.cat([x, more.to(x.dtype).contiguous(memory_format=memory_format)], 1)
