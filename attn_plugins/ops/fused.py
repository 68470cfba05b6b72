"""Ops on a map and a few parameters with a hand-written forward and backward, beside the formula that defines them."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor
from torch.autograd import Function

from attn_plugins.ops.gating import vjp
from attn_plugins.ops.maps import dense
from attn_plugins.ops.mode import runs_eagerly, without_autocast

Tensors = tuple[Tensor, ...]


class Fused(ABC):
    """An op: `formula` defines it; `forward` and `backward` compute the same in fewer passes over the map."""

    def fits(self, x: Tensor) -> bool:
        """Tells whether `forward` and `backward` work for a map; if not, the formula is used."""
        return True

    @abstractmethod
    def formula(self, x: Tensor, *parameters: Tensor) -> Tensor:
        """Computes y from the map and the parameters."""

    @abstractmethod
    def forward(self, x: Tensor, *parameters: Tensor) -> tuple[Tensor, Tensors]:
        """Computes y, and the tensors that the backward needs beside the inputs."""

    @abstractmethod
    def backward(self, dy: Tensor, inputs: Tensors, kept: Tensors) -> Tensors:
        """Computes the gradients of the inputs."""


def fused(op: Fused, x: Tensor, *parameters: Tensor) -> Tensor:
    """Computes an op by its `forward` and `backward` where that is possible, else by its `formula`."""
    if not (runs_eagerly(x) and op.fits(x)):
        return op.formula(x, *parameters)
    if not torch.is_grad_enabled():
        return op.forward(dense(x), *parameters)[0]
    return _Fused.apply(op, dense(x), *parameters)


class _Fused(Function):
    @staticmethod
    def forward(ctx, op: Fused, *inputs: Tensor) -> Tensor:
        y, kept = op.forward(*inputs)
        ctx.op, ctx.count = op, len(inputs)
        ctx.save_for_backward(*inputs, *kept)
        return y

    @staticmethod
    def backward(ctx, dy: Tensor) -> tuple:
        saved = ctx.saved_tensors
        inputs, kept = saved[: ctx.count], saved[ctx.count :]
        if torch.is_grad_enabled():
            return None, *vjp(lambda *given: (ctx.op.formula(*given),), inputs, (dy,))
        if dy.stride() != inputs[0].stride():
            dy = torch.empty_like(inputs[0], dtype=dy.dtype).copy_(dy)
        with without_autocast(dy):
            return None, *ctx.op.backward(dy, inputs, kept)
