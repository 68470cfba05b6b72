"""The losses of input gradients are their formulas, with first and second derivatives."""

import pytest
import torch

from attn_plugins.distillation.losses import GradientNorm, GradientSymmetry, GradientTransfer
from tests.distillation.losses.formulas import random


def half_square(values):
    """1/2 sum of squares, sample by sample, and the mean of it."""
    return sum(sum(v * v for v in sample.flatten().tolist()) / 2 for sample in values) / len(values)


def test_gradient_transfer_is_the_formula():
    student, teacher = random(3, 3, 4, 5), random(3, 3, 4, 5, seed=1)
    expected = half_square([s - t for s, t in zip(student, teacher, strict=True)])
    assert GradientTransfer()(student, teacher).item() == pytest.approx(expected, rel=1e-12)


def test_gradient_norm_is_the_formula():
    student = random(3, 3, 4, 5)
    assert GradientNorm()(student).item() == pytest.approx(half_square(student), rel=1e-12)


def test_gradient_symmetry_mirrors_the_second_gradient_back():
    gradient, mirrored = random(3, 3, 4, 5), random(3, 3, 4, 5, seed=1)
    differences = gradient.clone()
    for column in range(5):
        differences[..., column] -= mirrored[..., 4 - column]
    found = GradientSymmetry()(gradient, mirrored).item()
    assert found == pytest.approx(half_square(differences), rel=1e-12)
    assert GradientSymmetry()(gradient, gradient.flip(3)) == 0


@pytest.mark.parametrize(
    'loss, number', [(GradientTransfer(), 2), (GradientNorm(), 1), (GradientSymmetry(), 2)]
)
def test_their_derivatives(loss, number):
    gradients = [random(2, 3, 3, 2, seed=seed).requires_grad_() for seed in range(number)]
    assert torch.autograd.gradcheck(loss, gradients)
    assert torch.autograd.gradgradcheck(loss, gradients)


def test_the_derivative_is_the_difference_as_the_paper_prints_it():
    """beta (J_S - J_T), here for each sample of a mean."""
    student, teacher = random(2, 3, 3, 3).requires_grad_(), random(2, 3, 3, 3, seed=1)
    GradientTransfer()(student, teacher).backward()
    torch.testing.assert_close(student.grad, (student - teacher).detach() / 2)


@pytest.mark.parametrize(
    'loss, number', [(GradientTransfer(), 2), (GradientNorm(), 1), (GradientSymmetry(), 2)]
)
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_as_float32(loss, number, dtype):
    """With squares that float16 does not hold."""
    gradients = [(1000 * random(2, 3, 3, 2, seed=seed)).to(dtype).requires_grad_() for seed in range(number)]
    found = loss(*gradients)
    assert found.dtype is torch.float32
    exact = loss(*[gradient.double() for gradient in gradients])
    torch.testing.assert_close(found.double(), exact, rtol=1e-5, atol=0)
    found.backward()
    assert all(gradient.grad.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize('loss', [GradientTransfer(), GradientSymmetry()])
def test_gradients_of_other_images_are_refused(loss):
    with pytest.raises(ValueError, match='give student and teacher the same images'):
        loss(torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 4, 5))
