"""Statistics to which channel attention squeezes a channel's map, each with its gradient.

For most statistics the gradient is slope * x + constant, with a slope and a constant per sample and channel; slopes and
constants of several statistics are added before they are applied to the map. Other gradients are added in place."""

from abc import ABC, abstractmethod

import torch
import torch.fx
from torch import Tensor

from attn_plugins.ops.dct import bases, grouped_dct
from attn_plugins.ops.maps import variance_and_mean
from attn_plugins.ops.pool import (
    at_least_float32,
    global_l1,
    global_max,
    global_mean,
    global_square_sum,
    global_var_mean,
    variance_correction,
)

# A symbolic trace must not look inside these functions: they read the dtype or the size.
torch.fx.wrap('global_l1')
torch.fx.wrap('global_square_sum')
torch.fx.wrap('global_var_mean')
torch.fx.wrap('grouped_dct')

Tensors = tuple[Tensor, ...]


class Statistic(ABC):
    """Values of a map, one or more per sample and channel, and their gradient.

    Attributes:
        number (int): How many values.
        constants (int): How many tensors that are not trained it is given beside the map.
        keeps (int): How many tensors `measure` keeps for the gradient.
    """

    number = 1
    constants = 0
    keeps = 0

    @abstractmethod
    def formula(self, x: Tensor, *constants: Tensor) -> Tensors:
        """Computes the values of a map: (N, C, H, W) -> (N, C) each."""

    def measure(self, x: Tensor, *constants: Tensor) -> tuple[Tensors, Tensors]:
        """Computes the values in as few passes as possible, and the other tensors that the gradient needs."""
        return self.formula(x, *constants), ()

    def affine_gradient(
        self, x: Tensor, values: Tensors, gradients: Tensors
    ) -> tuple[Tensor | None, Tensor | None]:
        """Computes slope and constant of the gradient, (N, C) each; None for 0."""
        return None, None

    def add_gradient_(
        self, dx: Tensor, x: Tensor, constants: Tensors, kept: Tensors, gradients: Tensors
    ) -> None:
        """Adds the part of the gradient that is not affine."""
        return


class Mean(Statistic):
    """z_nc = 1/(H W) sum_hw x_nchw."""

    def formula(self, x: Tensor) -> Tensors:
        """Computes the mean: (N, C, H, W) -> (N, C)."""
        return (global_mean(x),)

    def affine_gradient(
        self, x: Tensor, values: Tensors, gradients: Tensors
    ) -> tuple[Tensor | None, Tensor | None]:
        """Computes the constant of the gradient; there is no slope."""
        return None, gradients[0] / (x.shape[2] * x.shape[3])


class MeanVariance(Statistic):
    """Mean and variance over space, the variance divided by H W or by H W - 1."""

    number = 2

    def __init__(self, unbiased: bool):
        self.unbiased = unbiased

    def formula(self, x: Tensor) -> Tensors:
        """Computes mean and variance: (N, C, H, W) -> (N, C) twice."""
        variance, mean = global_var_mean(x, self.unbiased)
        return mean, variance

    def measure(self, x: Tensor) -> tuple[Tensors, Tensors]:
        """Computes mean and variance in one pass."""
        variance, mean = variance_and_mean(x, variance_correction(x, self.unbiased))
        return (mean, variance), ()

    def affine_gradient(
        self, x: Tensor, values: Tensors, gradients: Tensors
    ) -> tuple[Tensor | None, Tensor | None]:
        """Computes slope and constant of the gradient; that of the variance is 2 (x - mean) / (H W - correction)."""
        size = x.shape[2] * x.shape[3]
        slope = gradients[1] * (2 / (size - variance_correction(x, self.unbiased)))
        return slope, gradients[0] / size - slope * values[0]


class SquareSum(Statistic):
    """z_nc = sum_hw x_nchw^2, at least float32."""

    def formula(self, x: Tensor) -> Tensors:
        """Computes the sum of squares: (N, C, H, W) -> (N, C)."""
        return (global_square_sum(x),)

    def measure(self, x: Tensor) -> tuple[Tensors, Tensors]:
        """Computes the sum of squares without a map of squares."""
        return (torch.linalg.vector_norm(at_least_float32(x), dim=(2, 3)).square(),), ()

    def affine_gradient(
        self, x: Tensor, values: Tensors, gradients: Tensors
    ) -> tuple[Tensor | None, Tensor | None]:
        """Computes the slope of the gradient; there is no constant."""
        return 2 * gradients[0], None


class AbsoluteSum(Statistic):
    """z_nc = sum_hw |x_nchw|, at least float32."""

    def formula(self, x: Tensor) -> Tensors:
        """Computes the sum of absolute values: (N, C, H, W) -> (N, C)."""
        return (global_l1(x),)

    def measure(self, x: Tensor) -> tuple[Tensors, Tensors]:
        """Computes the sum of absolute values without a map of them."""
        return (torch.linalg.vector_norm(at_least_float32(x), 1, (2, 3)),), ()

    def add_gradient_(
        self, dx: Tensor, x: Tensor, constants: Tensors, kept: Tensors, gradients: Tensors
    ) -> None:
        """Adds the signs times a number per channel."""
        dx.addcmul_(x.sign(), gradients[0][:, :, None, None].to(dx.dtype))


class Maximum(Statistic):
    """z_nc = max_hw x_nchw; if several places have it, the first of them, row by row, gets the gradient."""

    keeps = 1

    def formula(self, x: Tensor) -> Tensors:
        """Computes the maximum: (N, C, H, W) -> (N, C)."""
        return (global_max(x),)

    def measure(self, x: Tensor) -> tuple[Tensors, Tensors]:
        """Computes the maxima, and keeps their places."""
        values, places = x.flatten(2).max(2, keepdim=True)
        return (values[:, :, 0],), (places,)

    def add_gradient_(
        self, dx: Tensor, x: Tensor, constants: Tensors, kept: Tensors, gradients: Tensors
    ) -> None:
        """Adds one value per channel, at the place of its maximum."""
        dx.flatten(2).scatter_add_(2, kept[0], gradients[0][:, :, None].to(dx.dtype))


class Projection(Statistic):
    """The projection of each group of channels on a basis (`grouped_dct`), whose factors are the constants."""

    constants = 2

    def formula(self, x: Tensor, *constants: Tensor) -> Tensors:
        """Projects the map on the bases: (N, C, H, W), (F, L_h), (F, L_w) -> (N, C)."""
        return (grouped_dct(x, *constants),)

    def add_gradient_(
        self, dx: Tensor, x: Tensor, constants: Tensors, kept: Tensors, gradients: Tensors
    ) -> None:
        """Adds the basis times a number per channel."""
        basis = bases(*constants, dx)
        groups = (basis.shape[0], -1)
        gradient = gradients[0].to(dx.dtype).unflatten(1, groups)[..., None, None]
        dx.unflatten(1, groups).addcmul_(gradient, basis[:, None])
