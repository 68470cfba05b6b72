"""Ops of a map and a few parameters with a forward and a backward of their own, beside the formula that says what
they compute.
"""

from abc import ABC, abstractmethod

import torch
from torch import Tensor
from torch.autograd import Function

from attn_plugins.ops.gating import vjp
from attn_plugins.ops.maps import dense
from attn_plugins.ops.mode import runs_eagerly, without_autocast

Tensors = tuple[Tensor, ...]


class Fused(ABC):
    """An op: `formula` is what is computed, `forward` and `backward` the same in fewer passes over the map."""

    def fits(self, x: Tensor) -> bool:
        """Whether `forward` and `backward` are right for a map; else it is the formula."""
        return True

    @abstractmethod
    def formula(self, x: Tensor, *parameters: Tensor) -> Tensor:
        """The map and the parameters -> y."""

    @abstractmethod
    def forward(self, x: Tensor, *parameters: Tensor) -> tuple[Tensor, Tensors]:
        """y, and what the backward needs beside the inputs."""

    @abstractmethod
    def backward(self, dy: Tensor, inputs: Tensors, kept: Tensors) -> Tensors:
        """The gradients of the inputs."""


def fused(op: Fused, x: Tensor, *parameters: Tensor) -> Tensor:
    """The op's `formula`, computed by its `forward` and `backward` wherever that can be."""
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
