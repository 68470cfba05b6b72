"""Attention of every place to its row and column (CCNet, ICCV 2019, arXiv:1811.11721), without compiled extensions."""

import torch
from torch import Tensor

from attn_plugins.ops.attention_in_parts import attend_in_parts
from attn_plugins.ops.mode import with_formula


@with_formula
def criss_cross(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Computes for each place h, w the attention to its row and column.

    y_hw = sum over the H + W - 1 places of row h and column w of softmax(q_hw . k) v; the centre counts once.

    Attention to the column and to the row is computed one after the other, without storing their maps of weights
    (`attend_in_parts`). The two results are weighted by the sums of their exponentials.

    Args:
        query (Tensor): (N, d, H, W).
        key (Tensor): (N, d, H, W).
        value (Tensor): (N, C, H, W).

    Returns:
        Tensor: (N, C, H, W).
    """
    index = torch.arange(query.shape[2], device=query.device)
    own = index[:, None] == index  # the centre, already in the row
    # Not -inf: in a column of one place nothing else would be left.
    hidden = torch.zeros_like(own, dtype=torch.float32).masked_fill(own, torch.finfo(torch.float32).min)
    from_column, of_column = attend_in_parts(
        *(_lines(x, 3, 2) for x in (query, key, value)), of_columns=hidden[None, None]
    )
    from_row, of_row = attend_in_parts(*(_lines(x, 2, 3) for x in (query, key, value)))
    share = torch.sigmoid(of_row - of_column.transpose(1, 2))[..., None]
    y = from_row * share + from_column.transpose(1, 2) * (1 - share)
    return y.to(value.dtype).permute(0, 3, 1, 2)


def criss_cross_as_published(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Computes `criss_cross` place by place, over the H + W - 1 places that each of them sees."""
    height, width = query.shape[2:]
    result = torch.empty_like(value)
    for y in range(height):
        for x in range(width):
            seen = [(row, x) for row in range(height) if row != y] + [(y, column) for column in range(width)]
            keys = torch.stack([key[:, :, row, column] for row, column in seen], 2)
            values = torch.stack([value[:, :, row, column] for row, column in seen], 2)
            weights = (query[:, :, y, x, None] * keys).sum(1).softmax(1)
            result[:, :, y, x] = (values * weights[:, None]).sum(2)
    return result


def _lines(x: Tensor, lines: int, along: int) -> Tensor:
    """Splits a map into rows (2, 3) or columns (3, 2), one matrix each: (N, d, H, W) -> (N, `lines`, `along`, d)."""
    return x.permute(0, lines, along, 1)
