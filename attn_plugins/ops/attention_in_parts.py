"""Attention that stores the weights of some queries at a time, with terms of the key's column and row.

On a CPU, torch's fused kernels need one width for queries, keys and values, and take added terms only as a map over all
pairs. Here the weights are computed part by part, in the forward pass and again in the backward pass, and all parts use
the same memory. `attend_in_parts_as_published` computes the same with the whole map; the tests compare the two.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from attn_plugins.compat import strict_zip
from attn_plugins.ops.mode import runs_eagerly, without_autocast
from attn_plugins.ops.pool import at_least_float32

# Number of weights in a part: few enough for a core's cache on a CPU, enough to keep a GPU busy elsewhere.
PART = {'cpu': 2**20}
PART_ELSEWHERE = 2**24


def attend_in_parts(
    query: Tensor | None,
    key: Tensor | None,
    value: Tensor,
    of_columns: Tensor | None = None,
    of_rows: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Computes attention with terms of column and row, and the logarithm of its sum of exponentials.

    y_i = sum_j softmax_j(E_ij) v_j and log sum_j exp(E_ij), for E_ij = q_i . k_j + c_i[column of j] + r_i[row of j].

    The keys are a map of M = rows * columns places, row by row. The weights are in at least float32, and those of at
    most 2^20 pairs are stored at a time (2^24 on a GPU). At least one of the terms is given.

    Args:
        query (Tensor, optional): (N, heads, L, d).
        key (Tensor, optional): (N, heads, M, d), with `query` only.
        value (Tensor): (N, heads, M, e).
        of_columns (Tensor, optional): c, broadcasts to (N, heads, L, columns); without it there is one column. -inf
            hides a column.
        of_rows (Tensor, optional): r, broadcasts to (N, heads, L, rows); without it there is one row.

    Returns:
        tuple: (N, heads, L, e) in the value's dtype, and (N, heads, L). Both can be differentiated, also twice; the
        second derivative stores the whole map.
    """
    dtype = value.dtype
    given = [None if x is None else at_least_float32(x) for x in (query, key, value, of_columns, of_rows)]
    with without_autocast(value):
        if not runs_eagerly(value):
            rows, log_sum = attend_in_parts_as_published(*given)
        else:
            lead = value.shape[:2]
            given = [None if x is None else x.expand(*lead, -1, -1).flatten(0, 1) for x in given]
            y, log_sum = (x.unflatten(0, lead) for x in _Attention.apply(*given))
            rows = y.mT
    return rows.to(dtype), log_sum


def attend_in_parts_as_published(
    query: Tensor | None,
    key: Tensor | None,
    value: Tensor,
    of_columns: Tensor | None = None,
    of_rows: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Computes `attend_in_parts` with the whole map of weights: (N, heads, L, M) numbers."""
    energies = _sum_of_terms(
        None if query is None else query @ key.transpose(-2, -1),  # ONNX knows no `mT`
        None if of_columns is None and of_rows is None else _on_grid(of_columns, of_rows),
    )
    return torch.softmax(energies, -1) @ value, torch.logsumexp(energies, -1)


def _on_grid(of_columns: Tensor | None, of_rows: Tensor | None) -> Tensor:
    """Adds the terms of columns and rows to one term per key, (..., L, M)."""
    return _sum_of_terms(
        None if of_columns is None else of_columns[..., None, :],
        None if of_rows is None else of_rows[..., None],
    ).flatten(-2)


def _sum_of_terms(first: Tensor | None, second: Tensor | None) -> Tensor:
    if first is None or second is None:
        return second if first is None else first
    return first + second


class _Attention(torch.autograd.Function):
    """`attend_in_parts` of (B, L, d), (B, M, d), (B, M, e), (B, L, columns), (B, L, rows), none in half precision.

    y has the layout of a map, (B, e, L).
    """

    @staticmethod
    def forward(ctx, query, key, value, of_columns, of_rows):
        pairs = _Weights(query, key, value, of_columns, of_rows)
        y = value.new_empty(value.shape[0], value.shape[2], pairs.queries)
        rows = y.mT
        log_sum = value.new_empty(rows.shape[:2])
        for part in pairs.parts():
            rows[part] = pairs.of(part, log_sum) @ value[part[0]]
        ctx.save_for_backward(query, key, value, of_columns, of_rows, y)
        return y, log_sum

    @staticmethod
    def backward(ctx, d_y, d_log_sum):
        *inputs, y = ctx.saved_tensors
        with without_autocast(y):
            if torch.is_grad_enabled():  # the gradient will be differentiated
                return _differentiable_gradients(inputs, (d_y.mT, d_log_sum))
            return _gradients(ctx.needs_input_grad, *inputs, y.mT, d_y.mT, d_log_sum)


class _Weights:
    """Computes the weights of one part after the other, all in the same memory."""

    def __init__(self, query, key, value, of_columns, of_rows):
        self.query, self.key, self.value = query, key, value
        self.of_columns, self.of_rows = of_columns, of_rows
        self.queries = next(x for x in (query, of_columns, of_rows) if x is not None).shape[1]
        self.memory = self.new_memory()
        if query is None:  # the softmax of a sum of two axes' terms is the product of the axes' softmaxes
            self.of_axes = [None if x is None else torch.softmax(x, -1) for x in (of_columns, of_rows)]

    def parts(self) -> Iterator[tuple[slice, slice]]:
        """Yields each part as a slice of the batch and a slice of the queries."""
        batch, keys, _ = self.value.shape
        at_once = max(1, PART.get(self.value.device.type, PART_ELSEWHERE) // keys)
        rows = min(self.queries, at_once)
        samples = max(1, min(batch, at_once // rows))
        for i in range(0, batch, samples):
            for j in range(0, self.queries, rows):
                yield slice(i, min(i + samples, batch)), slice(j, min(j + rows, self.queries))

    def new_memory(self) -> Tensor:
        """Allocates enough memory for the pairs of any part."""
        most = max((_count(part[0]) * _count(part[1]) for part in self.parts()), default=0)
        return self.value.new_empty(most * self.value.shape[1])

    def in_memory(self, part: tuple[slice, slice], memory: Tensor) -> Tensor:
        """Returns a view of the memory for a part, (batch, queries, keys); its former content will be overwritten."""
        batch, queries, keys = *map(_count, part), self.value.shape[1]
        return memory[: batch * queries * keys].view(batch, queries, keys)

    def on_grid(self, pairs: Tensor) -> Tensor:
        """Reshapes a part's pairs to (batch, queries, rows, columns)."""
        return pairs.unflatten(2, (-1, 1 if self.of_columns is None else self.of_columns.shape[2]))

    def of(self, part: tuple[slice, slice], log_sum: Tensor | None = None) -> Tensor:
        """Computes a part's weights, and writes the logarithms of the sums of exponentials into `log_sum`."""
        weights = self.in_memory(part, self.memory)
        if self.query is None:
            self._combine(torch.mul, part, weights, *self.of_axes)
            if log_sum is not None:
                axes = [x for x in (self.of_columns, self.of_rows) if x is not None]
                log_sum[part] = sum(torch.logsumexp(x[part], -1) for x in axes)
            return weights
        query, key = self.query[part], self.key[part[0]]
        if self.of_columns is None and self.of_rows is None:
            torch.bmm(query, key.mT, out=weights)
        else:
            self._combine(torch.add, part, weights, self.of_columns, self.of_rows)
            weights.baddbmm_(query, key.mT)
        largest = None if log_sum is None else weights.amax(-1)
        torch.softmax(weights, -1, out=weights)
        if (
            log_sum is not None
        ):  # the largest weight is at least 1 / M, so its logarithm is as exact as that of the sum
            log_sum[part] = largest - weights.amax(-1).log()
        return weights

    def _combine(self, operation, part, pairs, of_columns, of_rows) -> None:
        """Writes the sum or product of the columns' and the rows' terms into the part's pairs."""
        grid = self.on_grid(pairs)
        if of_rows is None:
            grid.copy_(of_columns[part][:, :, None])
        elif of_columns is None:
            grid.copy_(of_rows[part][..., None])
        else:
            operation(of_rows[part][..., None], of_columns[part][:, :, None], out=grid)


def _count(places: slice) -> int:
    return places.stop - places.start


def _gradients(needed, query, key, value, of_columns, of_rows, rows, d_y, d_log_sum) -> tuple:
    """Computes the gradients of the five inputs, part by part: dE = P (dP - <y, dy> + d log sum) for dP = dy . v."""
    pairs = _Weights(query, key, value, of_columns, of_rows)
    memory = pairs.new_memory()
    d_query, d_key, d_value, d_columns, d_rows = [
        torch.zeros(x.shape, dtype=x.dtype, device=x.device) if need else None
        # Those of keys and values are transposed, because the product is faster then.
        for x, need in strict_zip(
            (query, None if key is None else key.mT, value.mT, of_columns, of_rows), needed
        )
    ]
    if d_query is not None:
        d_query = torch.empty_like(query)  # the layout of the query's map
    shift = ((d_y * rows).sum(-1) - d_log_sum)[..., None]
    for part in pairs.parts():
        samples = part[0]
        weights = pairs.of(part)
        if d_value is not None:
            d_value[samples].baddbmm_(d_y[part].mT, weights)
        change = torch.bmm(d_y[part], value[samples].mT, out=pairs.in_memory(part, memory))
        change.sub_(shift[part]).mul_(weights)
        if d_query is not None:
            d_query[part] = change @ key[samples]
        if d_key is not None:
            d_key[samples].baddbmm_(query[part].mT, change)
        grid = pairs.on_grid(change)
        if d_columns is not None:
            torch.sum(grid, 2, out=d_columns[part])
        if d_rows is not None:
            torch.sum(grid, 3, out=d_rows[part])
    return (
        d_query,
        None if d_key is None else d_key.mT,
        None if d_value is None else d_value.mT,
        d_columns,
        d_rows,
    )


def _differentiable_gradients(inputs: list[Tensor | None], gradients: tuple[Tensor, Tensor]) -> tuple:
    """Computes the same gradients by autograd through the whole map, so that they can be differentiated again."""
    given = [x for x in inputs if x is not None]

    def attend(*tensors):
        remaining = iter(tensors)
        return attend_in_parts_as_published(*(None if x is None else next(remaining) for x in inputs))

    found = iter(torch.func.vjp(attend, *given)[1](gradients))
    return tuple(None if x is None else next(found) for x in inputs)
