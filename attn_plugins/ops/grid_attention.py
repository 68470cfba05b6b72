"""Attention to the places of a map with terms of the key's column and row.

Such a term is c_i[column of j] + r_i[row of j] for the query i and the key j: columns + rows numbers per query, from
which no map over all pairs has to be made. Beside `attend_separably` stands the formula with that map, beside
`attend_in_parts` the one of the other; the tests compare.
"""

import torch
from torch import Tensor

from attn_plugins.ops.attention import attend
from attn_plugins.ops.attention_in_parts import attend_in_parts
from attn_plugins.ops.mode import runs_eagerly


def prefers_parts(x: Tensor) -> bool:
    """Where weights made part by part are faster than a fused kernel; on the meta device costs are counted as on a
    CPU.
    """
    return runs_eagerly(x) and x.device.type in ('cpu', 'meta')


def attend_on_grid(query: Tensor, key: Tensor, value: Tensor, of_columns: Tensor, of_rows: Tensor) -> Tensor:
    """y_i = sum_j softmax_j(q_i . k_j + c_i[column of j] + r_i[row of j]) v_j without a map over all pairs.

    On a CPU the weights are made part by part. Elsewhere queries carry c and r, keys a one for their column and their
    row, and a fused kernel serves.

    Args:
        query (Tensor): (N, heads, L, d).
        key (Tensor): (N, heads, rows * columns, d), row by row.
        value (Tensor): (N, heads, rows * columns, e).
        of_columns (Tensor): c, (N, heads, L, columns).
        of_rows (Tensor): r, (N, heads, L, rows). Both finite.

    Returns:
        Tensor: (N, heads, L, e).
    """
    if prefers_parts(value):
        return attend_in_parts(query, key, value, of_columns, of_rows)[0]
    places = one_hot_places(of_columns.shape[-1], of_rows.shape[-1], value)
    return attend_by_features([query, of_columns, of_rows], [key, places], value)


def attend_by_features(
    of_query: list[Tensor | None], of_key: list[Tensor | None], value: Tensor, mask: Tensor | None = None
) -> Tensor:
    """`attend` for a sum of products: parts of queries and keys side by side, each (N, heads, places, its width).

    N and heads may be 1 or missing in a part, and None is no part.
    """
    lead = value.shape[0], value.shape[1]
    query, key = [
        torch.cat(
            [part.to(value.dtype).expand(*lead, -1, -1) for part in parts if part is not None],
            3,
        )
        for parts in (of_query, of_key)
    ]
    return attend(query, key, value.contiguous(), mask=mask)


def one_hot_places(columns: int, rows: int, like: Tensor) -> Tensor:
    """A one for the column and a one for the row of every place: (rows * columns, columns + rows)."""
    of_columns, of_rows = [
        (index[:, None] == index).to(like.dtype)
        for index in (torch.arange(length, device=like.device) for length in (columns, rows))
    ]
    features = of_columns[None].expand(rows, -1, -1), of_rows[:, None].expand(-1, columns, -1)
    return torch.cat(features, 2).flatten(0, 1)


def attend_separably(of_keys: Tensor, value: Tensor, of_columns: Tensor, of_rows: Tensor) -> Tensor:
    """y_yx = sum_j softmax_j(E_j + c_x[column of j] + r_y[row of j]) v_j, in N heads H W (columns + rows) steps.

    The column's term depends on the query's column alone, the row's on its row: so every column of queries attends to
    the keys of each row first, and then every query to those results. Each is a softmax of its own, with the sums of
    the first as logarithms in the second, so that nothing vanishes: the error is that of energies rounded to their
    dtype, however far apart they are, as in one softmax over all keys.

    Args:
        of_keys (Tensor): E, (N, heads, rows, columns).
        value (Tensor): (N, heads, rows, columns, e).
        of_columns (Tensor): c, (heads, W, columns), or (1, W, columns) for all heads. -inf hides a column; every query
            sees one at least.
        of_rows (Tensor): r, (heads, H, rows) or (1, H, rows); -inf hides a row.

    Returns:
        Tensor: (N, heads, e, H, W), the value's dtype.
    """
    in_row = of_keys[:, :, :, None] + of_columns[:, None]
    of_row = torch.softmax(in_row, -1).to(value.dtype) @ value  # (N, heads, rows, W, e)
    over_rows = torch.logsumexp(in_row, -1).transpose(2, 3)[:, :, :, None] + of_rows[:, None]
    y = torch.softmax(over_rows, -1).to(value.dtype) @ of_row.transpose(2, 3)  # (N, heads, W, H, e)
    return y.permute(0, 1, 4, 3, 2)


def attend_separably_as_published(
    of_keys: Tensor, value: Tensor, of_columns: Tensor, of_rows: Tensor
) -> Tensor:
    """`attend_separably`, with the energy of every pair."""
    energies = of_rows[:, :, None, :, None] + of_columns[:, None, :, None] + of_keys[:, :, None, None]
    weights = energies.flatten(4).softmax(-1).unflatten(4, of_keys.shape[2:])
    return torch.einsum('nhyxba,nhbae->nheyx', weights, value)
