"""Attention to the places of a map with terms of the key's column and row.

Such a term is c_i[column of j] + r_i[row of j] for the query i and the key j: columns + rows numbers per query, from
which no map over all pairs has to be built. The formulas with that map are `attend_separably_as_published` and
`attend_in_parts_as_published`; the tests compare.
"""

import torch
from torch import Tensor

from attn_plugins.ops.attention import attend
from attn_plugins.ops.attention_in_parts import attend_in_parts
from attn_plugins.ops.mode import runs_eagerly


def prefers_parts(x: Tensor) -> bool:
    """Tells whether computing the weights part by part is faster than a fused kernel.

    On the meta device costs are counted as on a CPU.
    """
    return runs_eagerly(x) and x.device.type in ('cpu', 'meta')


def attend_on_grid(query: Tensor, key: Tensor, value: Tensor, of_columns: Tensor, of_rows: Tensor) -> Tensor:
    """Computes y_i = sum_j softmax_j(q_i . k_j + c_i[column of j] + r_i[row of j]) v_j without a map over all pairs.

    On a CPU the weights are computed part by part. Elsewhere c and r are appended to the queries, a one for their
    column and their row to the keys, and a fused kernel is used.

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
    """Computes `attend` for a sum of products, by concatenating parts of queries and keys.

    Each part is (N, heads, places, its width).

    N and heads may be 1 or missing in a part; a part that is None is left out.
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
    """Builds a one for the column and a one for the row of every place: (rows * columns, columns + rows)."""
    of_columns, of_rows = [
        (index[:, None] == index).to(like.dtype)
        for index in (torch.arange(length, device=like.device) for length in (columns, rows))
    ]
    features = of_columns[None].expand(rows, -1, -1), of_rows[:, None].expand(-1, columns, -1)
    return torch.cat(features, 2).flatten(0, 1)


def attend_separably(of_keys: Tensor, value: Tensor, of_columns: Tensor, of_rows: Tensor) -> Tensor:
    """Computes attention whose energies are sums of a term of the key, of its column and of its row.

    y_yx = sum_j softmax_j(E_j + c_x[column of j] + r_y[row of j]) v_j, in N heads H W (columns + rows) steps.

    The column's term depends only on the query's column, the row's term only on its row. So every column of queries
    attends to the keys of each row first, and then every query attends to those results. Each step has its own softmax;
    the logarithms of the first one's sums are added in the second, so nothing underflows. The error is that of energies
    rounded to their dtype, however far apart they are, as in one softmax over all keys.

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
    """Computes `attend_separably` with the energy of every pair."""
    energies = of_rows[:, :, None, :, None] + of_columns[:, None, :, None] + of_keys[:, :, None, None]
    weights = energies.flatten(4).softmax(-1).unflatten(4, of_keys.shape[2:])
    return torch.einsum('nhyxba,nhbae->nheyx', weights, value)
