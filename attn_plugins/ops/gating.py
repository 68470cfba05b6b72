"""The steps of every gated layer, squeeze, excite and recalibrate, with a backward that passes over the map less often.

Differentiated step by step, y = x * gate(squeeze(x)) writes a map for the gate's gradient, one for the squeeze's and
one for their sum. Here the gradient of the gate is a sum of products that are never written, and the gradient of the
map is written once, when both of its parts are known. The step between them, the excitation, stays in torch's own
graph: so it may be any network, with state, with batch norms over all processes, under activation checkpointing."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function

from attn_plugins.compat import strict_zip
from attn_plugins.ops.maps import dense
from attn_plugins.ops.mode import is_small, runs_eagerly, without_autocast

Tensors = tuple[Tensor, ...]


class BackwardInputs(NamedTuple):
    """The inputs for computing the gradient of the map.

    Attributes:
        dy: The gradient of the result.
        x: The map.
        gates: The gates, followed by the tensors that `recalibrate_saving` kept.
        weights: The weights of the squeeze.
        descriptors: The results of the squeeze.
        kept: The tensors that `squeeze_saving` kept.
        gradients: The gradients of the descriptors, zeros where there is none.
    """

    dy: Tensor
    x: Tensor
    gates: Tensors
    weights: Tensors
    descriptors: Tensors
    kept: Tensors
    gradients: Tensors


class Gating(ABC):
    """A kind of gated layer: its formula in `squeeze` and `recalibrate`, and the gradients of both.

    The formula alone defines the result; the gradients are those of the formula, with fewer passes over the map.

    Attributes:
        few: Number of values of a map on a CPU below which the formula is faster. It was measured with one thread on
            maps of a ResNet-50 (tools/benchmarks/models.py times whole models).
    """

    few = 200_000

    @abstractmethod
    def squeeze(self, x: Tensor, *weights: Tensor) -> Tensors:
        """Computes the inputs of the excitation: (N, C, H, W) -> descriptors."""

    @abstractmethod
    def recalibrate(self, x: Tensor, *gates: Tensor) -> Tensor:
        """Applies the gates to the map; the result has shape, dtype and memory format of `x`."""

    def squeeze_saving(self, x: Tensor, *weights: Tensor) -> tuple[Tensors, Tensors]:
        """Computes `squeeze` in as few passes as possible, and the other tensors that its gradient needs."""
        return self.squeeze(x, *weights), ()

    def recalibrate_saving(self, x: Tensor, *gates: Tensor) -> tuple[Tensor, Tensors]:
        """Computes `recalibrate` in as few passes as possible, and the other tensors that its gradient needs."""
        return self.recalibrate(x, *gates), ()

    @abstractmethod
    def gate_gradients(self, dy: Tensor, x: Tensor, gates: Tensors) -> Tensors:
        """Computes the gradients of `recalibrate` with respect to the gates; `gates` are followed by what was kept."""

    @abstractmethod
    def map_gradient(self, given: BackwardInputs) -> Tensors:
        """Computes the gradients with respect to the map and to the weights.

        First that of `recalibrate` and `squeeze` together with respect to the map, then those of `squeeze` with respect
        to the weights.
        """


def gated(gating: Gating, x: Tensor, excite: Callable[..., Tensors], *weights: Tensor) -> Tensor:
    """Computes y = recalibrate(x, *excite(*squeeze(x, *weights))).

    Args:
        gating (Gating): The kind of gated layer, with `squeeze` and `recalibrate`.
        x (Tensor): The map, (N, C, H, W).
        excite (callable): From the descriptors to a tuple of gates.
        weights (Tensor): Parameters of the squeeze.

    Returns:
        Tensor: Shape, dtype and memory format of `x`.
    """
    if not runs_eagerly(x) or is_small(x, gating.few):
        return gating.recalibrate(x, *excite(*gating.squeeze(x, *weights)))
    if not torch.is_grad_enabled():
        descriptors, _ = gating.squeeze_saving(x, *weights)
        return gating.recalibrate(x, *excite(*descriptors))
    link, x = _Link(gating), dense(x)
    carrier, *descriptors = _Squeeze.apply(link, x, *weights)
    return _Recalibrate.apply(link, carrier, x, *excite(*descriptors))


class _Link:
    """Passes the gates from the backward of the recalibration to that of the squeeze, which runs after it.

    The gradient of y is passed as well, by the carrier: an alias of the map that nothing else reads.
    """

    def __init__(self, gating: Gating):
        self.gating = gating
        self.gates: Tensors | None = None


class _Squeeze(Function):
    """x -> carrier, descriptors."""

    @staticmethod
    def forward(ctx, link: _Link, x: Tensor, *weights: Tensor) -> Tensors:
        descriptors, kept = link.gating.squeeze_saving(x, *weights)
        ctx.link, ctx.counts = link, (len(weights), len(descriptors))
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(x, *weights, *descriptors, *kept)
        return x.view_as(x), *descriptors

    @staticmethod
    def backward(ctx, dy: Tensor | None, *gradients: Tensor | None) -> tuple:
        gating, (n_weights, n_descriptors) = ctx.link.gating, ctx.counts
        x, *saved = ctx.saved_tensors
        weights, descriptors = saved[:n_weights], saved[n_weights : n_weights + n_descriptors]
        if dy is None:  # a second derivative, or one of the descriptors alone
            return None, *vjp(gating.squeeze, (x, *weights), gradients)
        gates, ctx.link.gates = ctx.link.gates, None
        gradients = [
            torch.zeros_like(value) if gradient is None else gradient
            for value, gradient in strict_zip(descriptors, gradients)
        ]
        kept = tuple(saved[n_weights + n_descriptors :])
        given = BackwardInputs(dy, x, gates, tuple(weights), tuple(descriptors), kept, tuple(gradients))
        with without_autocast(x):
            return None, *gating.map_gradient(given)


class _Recalibrate(Function):
    """carrier, x, gates -> y."""

    @staticmethod
    def forward(ctx, link: _Link, carrier: Tensor, x: Tensor, *gates: Tensor) -> Tensor:
        y, kept = link.gating.recalibrate_saving(x, *gates)
        ctx.link, ctx.count = link, len(gates)
        ctx.save_for_backward(x, *gates, *kept)
        return y

    @staticmethod
    def backward(ctx, dy: Tensor) -> tuple:
        gating, (x, *gates) = ctx.link.gating, ctx.saved_tensors
        if torch.is_grad_enabled():  # for a second derivative: by the formula, without the carrier
            inputs = (x, *gates[: ctx.count])
            return None, None, *vjp(lambda *given: (gating.recalibrate(*given),), inputs, (dy,))
        if dy.stride() != x.stride():
            dy = torch.empty_like(x, dtype=dy.dtype).copy_(dy)
        ctx.link.gates = tuple(gates)
        with without_autocast(x):
            return None, dy, None, *gating.gate_gradients(dy, x, tuple(gates))


def vjp(formula: Callable[..., Tensors], inputs: Tensors, gradients: Tensors) -> list[Tensor | None]:
    """Computes the gradients of a formula with respect to its inputs, by torch's autograd.

    They can be differentiated again if grad mode is on.

    Args:
        formula (callable): From the inputs to a tuple.
        inputs (tuple): Tensors that have been differentiated once.
        gradients (tuple): One for each result, None where there is none.

    Returns:
        list: One for each input, None where it has none.
    """
    again = torch.is_grad_enabled()
    with torch.enable_grad():
        inputs = [t.view_as(t) if again else t.detach().requires_grad_(t.requires_grad) for t in inputs]
        results = formula(*inputs)
    pairs = [
        (result, gradient)
        for result, gradient in strict_zip(results, gradients)
        if gradient is not None and result.requires_grad
    ]
    wanted = [t for t in inputs if t.requires_grad]
    if not pairs or not wanted:
        return [None] * len(inputs)
    results, gradients = strict_zip(*pairs)
    found = iter(torch.autograd.grad(results, wanted, gradients, create_graph=again, allow_unused=True))
    return [next(found) if t.requires_grad else None for t in inputs]
