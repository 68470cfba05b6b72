"""The equality check finds what differs, and nothing where only rounding does."""

import pytest
import torch
from torch import nn

from benchmarks.layers.equality import TOLERANCE, errors, results, scramble, worst


class Gate(nn.Module):
    """w BN(x + b): the gradient of b is zero but for rounding."""

    def __init__(self):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(4, 1, 1)), nn.Parameter(torch.zeros(4, 1, 1))
        self.norm = nn.BatchNorm2d(4)

    def forward(self, x):
        return self.norm(x + self.bias) * self.weight


@pytest.fixture
def expected():
    torch.manual_seed(0)
    module = Gate().double()
    scramble(module)
    x, dy = torch.randn(2, 2, 4, 5, 6, dtype=torch.float64)
    return module, x, dy, results(module, x, dy)


def test_rounding_is_equal(expected):
    module, x, dy, exact = expected
    assert set(errors(exact, exact).values()) == {0}
    assert set(exact) == {'output', 'gradient of the input'} | {
        f'gradient of {name}' for name, _ in module.named_parameters()
    }
    rounding = errors(results(module.float(), x.float(), dy.float()), exact)
    assert exact['gradient of bias'].abs().max() < 1e-12
    assert min(rounding.values()) > TOLERANCE and max(rounding.values()) < 1e-5


def test_gradients_do_not_add_up(expected):
    module, x, dy, exact = expected
    again = results(module, x, dy)
    assert all(torch.equal(again[name], value) for name, value in exact.items())
    assert all(parameter.grad is None for parameter in module.parameters())


@pytest.mark.parametrize('name', ['output', 'gradient of the input', 'gradient of norm.bias'])
def test_a_small_change_is_found(expected, name):
    *_, exact = expected
    found = {**exact, name: exact[name] * (1 + 1e-6)}
    relative = errors(found, exact)
    assert relative.pop(name) == pytest.approx(1e-6, rel=1e-3)
    assert set(relative.values()) == {0}


def test_a_number_that_is_none_is_the_worst(expected):
    *_, exact = expected
    found = {**exact, 'output': exact['output'] * float('nan')}
    relative = errors(found, exact)
    assert worst(relative, dict.fromkeys(relative, 1)) == 'output' and not relative['output'] <= 1


def test_the_worst_is_the_farthest_beyond_what_it_may():
    assert worst(dict(a=1e-3, b=1e-5), dict(a=1e-3, b=1e-6)) == 'b'


def test_a_tensor_that_is_missing_is_refused(expected):
    *_, exact = expected
    with pytest.raises(ValueError, match='are not'):
        errors({'output': exact['output']}, exact)
