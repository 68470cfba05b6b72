"""Gradient-based attention transfer (Zagoruyko and Komodakis, ICLR 2017, arXiv:1612.03928).

The authors' code of it was never released.
"""

from torch import Tensor

from attn_plugins.distillation.losses.base import DistillationLoss
from attn_plugins.ops.pool import at_least_float32
from attn_plugins.registry import LOSSES


@LOSSES.register_module()
class GradientTransfer(DistillationLoss):
    """The student's loss is to depend on the input as the teacher's does.

    Equation:
        loss = 1/(2 N) sum_n ||J_n - T_n||_2^2
        J_n = d L_n / d x_n, the gradient of the student's loss of a sample by that sample, T_n the teacher's

    Deviations: the paper prints the norm itself, and as its derivative by the weights that of half the squared norm,
    which is what is computed here; the norm's own would not depend on how far the gradients are apart. The mean over
    the batch is ours. The paper has no weight that we have read; it is 1 here, and needs a search. Losses that are
    divided by what is in the whole batch, as a detector's by its boxes, have no L_n of their own: there J_n is N
    times the gradient of the batch's loss, in student and teacher.

    Args:
        weight (float, optional): beta, 1.
        schedule (dict, optional): When the loss acts (`Schedule`).
        pairs (sequence, optional): None; it is the whole model that is differentiated.
        name (str, optional): Its key in the log, 'loss_grad'.

    Raises:
        ValueError: The gradients are not of the same input.

    Source: paper section 3.2.
    """

    reads = 'input_gradient'
    default_weight = 1.0
    default_name = 'loss_grad'

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Computes the scalar loss without its weight, from the input gradients (N, 3, H, W) of both."""
        return _half_square(student, teacher)


@LOSSES.register_module()
class GradientNorm(DistillationLoss):
    """The student's loss is to depend little on the input: the paper's min-l2, without a teacher.

    Equation:
        loss = 1/(2 N) sum_n ||J_n||_2^2
        J_n = d L_n / d x_n, the gradient of the student's loss of a sample by that sample

    Deviations: as `GradientTransfer`'s: squared, mean over the batch, and a weight of 1 that is ours.

    Args:
        weight (float, optional): beta, 1.
        schedule (dict, optional): When the loss acts (`Schedule`).
        pairs (sequence, optional): None; it is the whole model that is differentiated.
        name (str, optional): Its key in the log, 'loss_min_l2'.

    Source: paper section 4.1, after Drucker and LeCun's double backpropagation.
    """

    reads = 'input_gradient'
    needs_teacher = False
    default_weight = 1.0
    default_name = 'loss_min_l2'

    def forward(self, student: Tensor) -> Tensor:
        """Computes the scalar loss without its weight, from the input gradient (N, 3, H, W)."""
        return _half_square(student)


@LOSSES.register_module()
class GradientSymmetry(DistillationLoss):
    """The student's loss is to depend on a mirrored input as on the input, without a teacher.

    Equation:
        loss = 1/(2 N) sum_n ||J(x_n) - flip(J(flip(x_n)))||_2^2
        J(x_n) = d L_n / d x_n; flip mirrors left and right

    Deviations: as `GradientTransfer`'s: squared, mean over the batch, and a weight of 1 that is ours.

    Args:
        weight (float, optional): beta, 1.
        schedule (dict, optional): When the loss acts (`Schedule`).
        pairs (sequence, optional): None; it is the whole model that is differentiated.
        name (str, optional): Its key in the log, 'loss_flip'.

    Raises:
        ValueError: The gradients are not of the same input.

    Source: paper section 3.2.
    """

    reads = 'input_gradient'
    needs_teacher = False
    needs_flip = True
    default_weight = 1.0
    default_name = 'loss_flip'

    def forward(self, gradient: Tensor, gradient_of_flipped: Tensor) -> Tensor:
        """Computes the scalar loss without its weight, from J(x) and J(flip(x)), (N, 3, H, W) each.

        J(flip(x)) is given as it is, not flipped back.
        """
        return _half_square(gradient, gradient_of_flipped.flip(-1))


def _half_square(gradient: Tensor, other: Tensor | None = None) -> Tensor:
    """Computes 1/(2 N) sum (gradient - other)^2, at least float32."""
    difference = at_least_float32(gradient)
    if other is not None:
        if gradient.shape != other.shape:
            raise ValueError(
                f'input gradients of {tuple(gradient.shape)} and {tuple(other.shape)} cannot be compared: give student '
                'and teacher the same images'
            )
        difference = difference - at_least_float32(other)
    return difference.square().sum() / (2 * len(gradient))
