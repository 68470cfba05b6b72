"""What the layers' tests share: building a layer, random maps, pieces of formulas written out."""

import pytest
import torch
from mmengine.registry import MODELS

from tests.layers.check import scramble

# Heights and widths of the maps on which formulas are checked.
MAPS = [(5, 7), (1, 1), (1, 4), (9, 3), (20, 16)]


def make(name: str, **options) -> torch.nn.Module:
    """A layer as a config builds it.

    Args:
        name (str): Its type without the scope.
        options: Of the layer, its channels among them.
    """
    return MODELS.build(dict(options, type=f'attn_plugins.{name}'))


def exact(name: str, **options) -> torch.nn.Module:
    """A layer in float64, in evaluation, with random weights."""
    torch.manual_seed(0)
    layer = make(name, **options).double().eval()
    scramble(layer)
    return layer


def count(name: str, **options) -> int:
    """The number of a layer's parameters."""
    return sum(parameter.numel() for parameter in make(name, **options).parameters())


def random_map(*shape: int) -> torch.Tensor:
    """Normally distributed, float64."""
    return torch.randn(*shape, dtype=torch.float64)


def assert_same(ours: torch.Tensor, expected: torch.Tensor) -> None:
    """Equal up to the rounding of float64."""
    torch.testing.assert_close(ours, expected, rtol=1e-10, atol=1e-11)


def batch_norm(values: torch.Tensor, norm: torch.nn.Module) -> torch.Tensor:
    """A batch norm in evaluation, written out for (..., C) values."""
    scaled = (values - norm.running_mean) / (norm.running_var + norm.eps) ** 0.5
    return scaled * norm.weight + norm.bias


def linear(values: torch.Tensor, layer: torch.nn.Module) -> torch.Tensor:
    """A linear layer or 1x1 convolution, written out for (..., C) values."""
    result = values @ layer.weight.flatten(1).T
    return result if layer.bias is None else result + layer.bias


def window_sums(x: torch.Tensor, conv: torch.nn.Conv2d) -> torch.Tensor:
    """A convolution with zero padding over (H, W, C), tap by tap; (H, W, C')."""
    height, width, _ = x.shape
    size, step = conv.kernel_size[0], conv.dilation[0]
    result = conv.bias.expand(height, width, -1).clone()
    for row in range(height):
        for column in range(width):
            for tap in range(size * size):
                y = row + (tap // size - size // 2) * step
                z = column + (tap % size - size // 2) * step
                if 0 <= y < height and 0 <= z < width:
                    result[row, column] += conv.weight[:, :, tap // size, tap % size] @ x[y, z]
    return result


def assert_finite_on_a_constant_map(name: str, height: int, width: int, **options) -> None:
    """A map without any spread, as padding or a dead ReLU gives it: no gradient is divided by zero."""
    layer = exact(name, in_channels=4, **options)
    x = torch.zeros(2, 4, height, width, dtype=torch.float64, requires_grad=True)
    layer(x).sum().backward()
    assert torch.isfinite(x.grad).all()
    assert all(torch.isfinite(p.grad).all() for p in layer.parameters())


def assert_takes_its_map_by_keyword(name: str, **options) -> None:
    """`layer(x=...)` is checked as `layer(...)` is, and compiles."""
    layer = make(name, in_channels=16, **options).eval()
    with pytest.raises(ValueError, match=f'^{name} was built for 16 channels'):
        layer(x=torch.zeros(2, 8, 5, 7))
    with pytest.raises(TypeError, match="'x'"):
        layer()
    x = torch.randn(2, 16, 5, 7)
    torch._dynamo.reset()
    compiled = torch.compile(layer, fullgraph=True, backend='aot_eager')
    torch.testing.assert_close(compiled(x=x), layer(x))
