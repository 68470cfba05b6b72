"""Under autocast the form that moves less memory is as precise as the formula, in values and gradients, on maps that
are hard.
"""

import copy

import pytest
import torch

from attn_plugins.ops.mode import on_small_maps_too, reference
from tests.layers.check import build
from tests.layers.examples import CONV_SIZES, CONVS, LAYERS

EXAMPLES = {name: (cfg, 16) for name, cfg in LAYERS.items()} | {
    name: ({**CONV_SIZES, **cfg}, 8) for name, cfg in CONVS.items()
}
# The two round as often, at other steps: neither error is the other's, and each may be the smaller one by chance. A
# sum in half precision that the formula takes in float32, or one whose terms were rounded before they cancel, is
# worse by more than this.
FACTOR = 2
# An eighth of what bfloat16 rounds a number by at most, 2^-8: what float32 leaves where sums cancel.
FLOOR = 2**-11
DRAWS = 2


def maps(kind: str, channels: int) -> torch.Tensor:
    """What a ReLU gives, or a map far from zero that varies little."""
    x = torch.randn(2, channels, 12, 15)
    return 2 * x.relu() if kind == 'post-ReLU' else 3 + 0.3 * x


def step(layer: torch.nn.Module, x: torch.Tensor, autocast: bool, inside: bool) -> list[torch.Tensor]:
    """y, and the gradients of x and of the parameters, in float64; the backward pass inside of autocast or outside."""
    layer, x = copy.deepcopy(layer), x.clone().requires_grad_()
    with torch.autocast('cpu', torch.bfloat16, enabled=autocast):
        y = layer(x)
        total = (y.to(torch.promote_types(y.dtype, torch.float32)) * weighting(y)).sum()
        if inside:
            total.backward()
    if not inside:
        total.backward()
    gradients = [p.grad for p in layer.parameters() if p.grad is not None]
    return [part.detach().double() for part in (y, x.grad, *gradients)]


def weighting(y: torch.Tensor) -> torch.Tensor:
    return torch.randn(y.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64).float()


def squares(given: list[torch.Tensor], exact: list[torch.Tensor]) -> torch.Tensor:
    """The squared errors of y, of x's gradient and of all parameters', each relative; of parameters that have a
    gradient.
    """
    sizes = [value.square().sum() for value in exact]
    least = 1e-16 * max(sizes[1:])
    errors = [
        float((a - b).square().sum() / size) if size > least else 0.0
        for a, b, size in zip(given, exact, sizes, strict=True)
    ]
    return torch.tensor([errors[0], errors[1], sum(errors[2:])], dtype=torch.float64)


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16], ids=['float32', 'bfloat16'])
@pytest.mark.parametrize('name', EXAMPLES)
def test_the_fast_form_is_as_precise_as_the_formula(name, dtype):
    """Of maps in float32, as a norm may hand them on, with the backward pass under autocast too."""
    cfg, channels = EXAMPLES[name]
    layer, inside = build(cfg, channels).train(), dtype == torch.float32
    for kind in ('post-ReLU', 'offset'):
        ours, theirs = torch.zeros(3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
        for _ in range(DRAWS):
            x = maps(kind, channels).to(dtype)
            with reference():
                exact = step(copy.deepcopy(layer).double(), x.double(), False, False)
                theirs += squares(step(layer, x, True, inside), exact)
            with on_small_maps_too():
                fast = step(layer, x, True, inside)
                with torch.no_grad(), torch.autocast('cpu', torch.bfloat16):
                    evaluated = copy.deepcopy(layer)(x).double()
            ours += squares(fast, exact)
            # Two products each, which are rounded by 2^-8 at most.
            assert (evaluated - fast[0]).abs().max() <= 4 * 2**-8 * fast[0].abs().max()
        ours, theirs = (ours / DRAWS).sqrt(), (theirs / DRAWS).sqrt()
        assert (ours <= FACTOR * theirs + FLOOR).all(), (kind, ours, theirs)
