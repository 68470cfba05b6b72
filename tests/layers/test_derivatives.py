"""Forward-mode and second derivatives of every layer are those of its formula."""

import copy

import pytest
import torch
from torch.autograd import forward_ad
from torch.func import functional_call, jvp

from attn_plugins.ops.mode import on_small_maps_too, reference
from tests.layers.check import build
from tests.layers.examples import CONV_SIZES, CONVS, LAYERS

EXAMPLES = {name: (cfg, 16) for name, cfg in LAYERS.items()} | {
    name: ({**CONV_SIZES, **cfg}, 8) for name, cfg in CONVS.items()
}


def weighting(x: torch.Tensor, seed: int = 0) -> torch.Tensor:
    return torch.randn(x.shape, generator=torch.Generator().manual_seed(seed), dtype=x.dtype)


def by_transform(layer: torch.nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """`torch.func.jvp` by the map and all parameters."""
    parameters = {name: p.detach() for name, p in layer.named_parameters()}
    changes = {name: weighting(p, i) for i, (name, p) in enumerate(parameters.items())}

    def call(x, parameters):
        buffers = {name: buffer.clone() for name, buffer in layer.named_buffers()}
        return functional_call(layer, {**parameters, **buffers}, (x,))

    return jvp(call, (x, parameters), (weighting(x), changes))


def by_duals(layer: torch.nn.Module, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """`torch.autograd.forward_ad` by the map."""
    with forward_ad.dual_level():
        y = copy.deepcopy(layer)(forward_ad.make_dual(x, weighting(x)))
        return tuple(forward_ad.unpack_dual(y))


def twice(layer: torch.nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
    """The gradients by the map and all parameters, and those of a weighting of all of them."""
    layer, x = copy.deepcopy(layer), x.clone().requires_grad_()
    leaves, y = [x, *layer.parameters()], layer(x)
    first = _given(
        torch.autograd.grad((y * weighting(y)).square().sum(), leaves, create_graph=True, allow_unused=True)
    )
    total = sum((gradient * weighting(gradient, i)).sum() for i, gradient in enumerate(first))
    return [*first, *_given(torch.autograd.grad(total, leaves, allow_unused=True))]


def _given(gradients: tuple) -> list[torch.Tensor]:
    return [gradient for gradient in gradients if gradient is not None]


@pytest.mark.parametrize('derivative', [by_transform, by_duals, twice])
@pytest.mark.parametrize('name', EXAMPLES)
def test_derivatives_are_those_of_the_formula(name, derivative):
    cfg, channels = EXAMPLES[name]
    layer, x = build(cfg, channels).double(), torch.randn(2, channels, 5, 6, dtype=torch.float64)
    with reference():
        expected = derivative(layer, x)
    with on_small_maps_too():
        found = derivative(layer, x)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-9 * max(1.0, float(theirs.abs().max())))
