"""Checks that two modules compute the same: compares outputs and every gradient in training number by number."""

import torch
from torch import Tensor, nn

# The largest difference allowed in float64, relative to the largest value of a tensor: the rounding of long sums.
TOLERANCE = 1e-9
# The least rounding of float32, in sums of this length.
ROUNDING = 1e-6


def scramble(layer: nn.Module) -> None:
    """Gives every parameter a value that no initialisation has, so that no term and no gradient vanishes.

    Weights of sums are drawn with the variance 1 / (number of summands), all else with 1/4.
    """
    generator = torch.Generator().manual_seed(0)
    for parameter in layer.parameters():
        scale = parameter[0].numel() ** -0.5 if parameter.dim() > 1 else 0.5
        values = scale * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        parameter.data.copy_(values)


def results(module: nn.Module, x: Tensor, dy: Tensor) -> dict[str, Tensor]:
    """Computes the output, and the gradients of the input and of every parameter by name; the module keeps none.

    Args:
        module: In training mode.
        x: The map, (N, C, H, W).
        dy: The output's gradient.
    """
    x = x.detach().requires_grad_()
    module.zero_grad(set_to_none=True)
    y = module(x)
    y.backward(dy)
    found = {'output': y.detach(), 'gradient of the input': x.grad}
    for name, parameter in module.named_parameters():
        gradient = parameter.grad
        found[f'gradient of {name}'] = torch.zeros_like(parameter) if gradient is None else gradient
    module.zero_grad(set_to_none=True)
    return found


def errors(found: dict[str, Tensor], expected: dict[str, Tensor]) -> dict[str, float]:
    """Computes the largest difference of every tensor, relative to the largest of its expected values.

    A gradient that is only rounding, such as that of a bias before a batch norm, is compared with the largest gradient
    of all parameters.

    Args:
        found: Tensors by name, of any precision.
        expected: Their expected values, in float64.

    Raises:
        ValueError: The names are not the same.
    """
    if found.keys() != expected.keys():
        raise ValueError(f'{sorted(found)} are not {sorted(expected)}')
    largest = max(value.abs().max().item() for name, value in expected.items() if name != 'output')
    relative = {}
    for name, value in expected.items():
        scale = value.abs().max().item()
        if scale < TOLERANCE * largest:
            scale = largest
        relative[name] = ((found[name] - value).abs().max() / scale).item() if scale else 0.0
    return relative


def worst(relative: dict[str, float], allowed: dict[str, float]) -> str:
    """Returns the tensor that exceeds its allowed difference most; a NaN is worst of all."""
    return max(
        relative, key=lambda name: (relative[name] != relative[name], relative[name] / (allowed[name] or 1.0))
    )
