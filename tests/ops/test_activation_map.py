"""The activation map is its formula, at every place, in every precision and layout."""

import pytest
import torch

from attn_plugins.ops.activation_map import activation_map
from tests.ops.compare import random


def written_out(x, kind, p):
    """The map with loops, in Python's own numbers."""
    n, c, h, w = x.shape
    powers = [
        [[[abs(x[i, k, a, b].item()) ** p for k in range(c)] for b in range(w)] for a in range(h)]
        for i in range(n)
    ]
    combine = dict(sum=sum, max=max)[kind]
    return torch.tensor(
        [[[combine(powers[i][a][b]) for b in range(w)] for a in range(h)] for i in range(n)],
        dtype=torch.float64,
    )


@pytest.mark.parametrize('kind', ['sum', 'max'])
@pytest.mark.parametrize('p', [1, 2, 2.5, 4])
@pytest.mark.parametrize('layout', [torch.contiguous_format, torch.channels_last])
def test_it_is_the_formula(kind, p, layout):
    x = random(2, 3, 4, 5).contiguous(memory_format=layout)
    torch.testing.assert_close(activation_map(x, kind, p), written_out(x, kind, p))
    assert torch.autograd.gradcheck(lambda x: activation_map(x, kind, p), x.requires_grad_())


def test_its_defaults_are_the_sum_of_squares():
    x = random(2, 3, 4, 5)
    torch.testing.assert_close(activation_map(x), x.square().sum(1))


@pytest.mark.parametrize('kind', ['sum', 'max'])
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_taken_as_float32(kind, dtype):
    """The squares of 300 are more than float16 holds."""
    x = torch.full((1, 4, 2, 2), 300.0, dtype=dtype)
    y = activation_map(x, kind)
    assert y.dtype is torch.float32
    torch.testing.assert_close(y, activation_map(x.double(), kind).float())


@pytest.mark.parametrize('kind', ['sum', 'max'])
@pytest.mark.parametrize('p', [1, 1.5, 2, 4])
def test_activations_of_zero_have_a_finite_gradient(kind, p):
    x = torch.zeros(1, 2, 3, 3, requires_grad=True)
    activation_map(x, kind, p).sum().backward()
    assert not x.grad.any()


def test_the_square_has_its_second_derivative_at_zero_too():
    x = torch.zeros(1, 2, 1, 1, requires_grad=True)
    (gradient,) = torch.autograd.grad(activation_map(x).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(gradient.sum(), x)
    assert second.unique().tolist() == [2]


def test_what_does_not_exist_is_refused():
    x = torch.zeros(1, 2, 3, 3)
    with pytest.raises(ValueError, match="no activation map 'summ': did you mean sum"):
        activation_map(x, 'summ')
    for p in (0.5, 0, float('nan'), '2', True, None):
        with pytest.raises(ValueError, match='must be a number of at least 1'):
            activation_map(x, p=p)
