"""Attention of every place to its row and column (CCNet, ICCV 2019, arXiv:1811.11721), without compiled ops."""

import torch
from torch import Tensor


def criss_cross(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """y_hw = sum over the H + W - 1 places of row h and column w of softmax(q_hw . k) v; the centre counts once.

    Columns and rows are two batches of matrix products, with one softmax over both.

    Args:
        query (Tensor): (N, d, H, W).
        key (Tensor): (N, d, H, W).
        value (Tensor): (N, C, H, W).

    Returns:
        Tensor: (N, C, H, W).
    """
    height = query.shape[2]
    index = torch.arange(height, device=query.device)
    own = index[:, None] == index  # the centre, already in the row
    in_column = _rows(query, 3, 2) @ _rows(key, 3, 2).transpose(2, 3)
    in_column = in_column.masked_fill(own, float('-inf')).transpose(1, 2)
    in_row = _rows(query, 2, 3) @ _rows(key, 2, 3).transpose(2, 3)
    weights = torch.softmax(torch.cat([in_column, in_row], 3), 3).to(value.dtype)
    from_column = weights[..., :height].transpose(1, 2) @ _rows(value, 3, 2)
    from_row = weights[..., height:] @ _rows(value, 2, 3)
    return (from_column.transpose(1, 2) + from_row).permute(0, 3, 1, 2)


def criss_cross_as_published(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """`criss_cross`, place by place over the H + W - 1 places that it sees."""
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


def _rows(x: Tensor, lines: int, along: int) -> Tensor:
    """(N, d, H, W) -> (N, `lines`, `along`, d): one matrix per row (2, 3) or per column (3, 2)."""
    return x.permute(0, lines, along, 1)
