"""Compares the fast form of an op with the formula as published: values and gradients, in float64."""

from collections.abc import Callable

import torch
from torch import Tensor


def random(*shape: int) -> Tensor:
    """Normally distributed, float64."""
    return torch.randn(*shape, dtype=torch.float64)


def values_and_gradients(op: Callable, *tensors: Tensor) -> list[Tensor]:
    """What an op gives, and the gradient of every tensor for a fixed weighting of the values."""
    leaves = [tensor.clone().requires_grad_() for tensor in tensors]
    y = op(*leaves)
    weighting = torch.arange(y.numel(), dtype=y.dtype).view_as(y).sin()
    return [y, *torch.autograd.grad((y * weighting).sum(), leaves)]


def assert_as_published(fast: Callable, published: Callable, *tensors: Tensor) -> None:
    """Both give the same values and the same gradients of every tensor."""
    results = (values_and_gradients(op, *tensors) for op in (fast, published))
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)
