"""Second derivatives of results that torch can differentiate only once, by differentiating the formula instead."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.autograd import Function

from attn_plugins.ops.gating import vjp


def differentiable_twice(y: Tensor, formula: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
    """Returns y such that a backward pass with `create_graph` differentiates the formula.

    Any other backward pass differentiates the ops that have computed y.

    Args:
        y (Tensor): The result, which belongs to the graph of the inputs.
        formula (callable): Computes the same as y from the inputs.
        inputs (Tensor): All tensors that y depends on.
    """
    return _Twice.apply(formula, y, *inputs)


class _Twice(Function):
    @staticmethod
    def forward(ctx, formula: Callable[..., Tensor], y: Tensor, *inputs: Tensor) -> Tensor:
        ctx.formula = formula
        ctx.save_for_backward(*inputs)
        return y.view_as(y)

    @staticmethod
    def backward(ctx, dy: Tensor) -> tuple:
        inputs = ctx.saved_tensors
        if torch.is_grad_enabled():
            return None, None, *vjp(lambda *given: (ctx.formula(*given),), inputs, (dy,))
        return None, dy, *[None] * len(inputs)
