"""Second derivatives of what torch can differentiate once, by the formula of the same numbers."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.autograd import Function

from attn_plugins.ops.gating import vjp


def differentiable_twice(y: Tensor, formula: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
    """Hands on y so that a backward pass with `create_graph` differentiates the formula, and any other what has made y.

    Args:
        y (Tensor): What was computed, of the inputs' graph.
        formula (callable): From the inputs to the same as y.
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
