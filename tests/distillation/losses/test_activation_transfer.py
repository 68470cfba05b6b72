"""Attention transfer is the formula of paper and code, written out with loops."""

import math

import pytest
import torch

from attn_plugins.distillation.losses import ActivationTransfer
from tests.distillation.losses.formulas import activation_maps, distances, random, resized
from tests.stack import AUTOCAST

KINDS = [('sum', 1), ('sum', 2), ('sum', 4), ('max', 1), ('max', 2)]


def flat(maps):
    return [[value for row in rows for value in row] for rows in maps]


@pytest.mark.parametrize('variant', ['code', 'paper'])
@pytest.mark.parametrize('kind, p', KINDS)
@pytest.mark.parametrize('size', [(5, 4), (3, 7), (8, 8), (1, 1)])
def test_it_is_the_formula(kind, p, variant, size):
    student, teacher = random(3, 4, 5, 4), random(3, 6, *size, seed=1)
    ours = flat(activation_maps(student, kind, p))
    theirs = flat(resized(rows, 5, 4) for rows in activation_maps(teacher, kind, p))
    squares = distances(ours, theirs)
    expected = sum(squares) / (3 * 20) if variant == 'code' else sum(map(math.sqrt, squares)) / (2 * 3)
    found = ActivationTransfer(map=kind, p=p, variant=variant)(student, teacher)
    assert found.item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize('variant', ['code', 'paper'])
@pytest.mark.parametrize('kind, p', KINDS)
def test_its_gradient(kind, p, variant):
    loss, teacher = ActivationTransfer(map=kind, p=p, variant=variant), random(2, 3, 2, 5, seed=1)
    assert torch.autograd.gradcheck(lambda x: loss(x, teacher), random(2, 4, 3, 3).requires_grad_())


def test_the_weights_are_the_published_ones():
    assert ActivationTransfer().weight == 1000
    assert ActivationTransfer(variant='paper').weight == 0.1
    assert ActivationTransfer(variant='paper', weight=2).weight == 2


@pytest.mark.parametrize('size, per_image', [(8, 0.12), (32, 0.0076)])
def test_the_weight_of_the_code_is_that_of_the_paper_per_image_and_place(size, per_image):
    """The reference's equivalence for 128 images: 1000 * mean = 1000 / (128 H W) * ||.||^2 = beta ||.||^2."""
    student, teacher = random(128, 2, size, size), random(128, 3, size, size, seed=1)
    squares = [
        (s - t).square().sum().item()
        for s, t in zip(
            *(torch.nn.functional.normalize(x.square().sum(1).flatten(1)) for x in (student, teacher)),
            strict=True,
        )
    ]
    loss = ActivationTransfer()
    beta = loss.weight * loss(student, teacher).item() / sum(squares)
    assert beta == pytest.approx(1000 / (128 * size * size), rel=1e-12)
    assert float(f'{beta:.2g}') == per_image


def test_mean_and_sum_over_channels_are_the_same():
    """The code takes the mean: a multiple of the sum, for student and teacher another one."""
    student, teacher = random(2, 4, 3, 3), random(2, 6, 3, 3, seed=1)
    q = [torch.nn.functional.normalize(x.pow(2).mean(1).view(2, -1)) for x in (student, teacher)]
    torch.testing.assert_close(ActivationTransfer()(student, teacher), (q[0] - q[1]).pow(2).mean())


def test_a_student_that_is_a_multiple_of_the_teacher_has_no_loss():
    x = random(2, 4, 3, 3)
    for variant in ('code', 'paper'):
        assert ActivationTransfer(variant=variant)(3 * x, x).item() == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize('variant', ['code', 'paper'])
@pytest.mark.parametrize('kind, p', KINDS)
@pytest.mark.parametrize('value', [0.0, 1.0])
def test_maps_of_zero_have_a_finite_loss_and_gradient(kind, p, variant, value):
    """Of the student alone, and, with the difference 0 under the root, of both."""
    student, teacher = torch.zeros(2, 3, 4, 4, requires_grad=True), torch.full((2, 3, 4, 4), value)
    loss = ActivationTransfer(map=kind, p=p, variant=variant)(student, teacher)
    loss.backward()
    assert loss.item() == pytest.approx(value * (1 / 16 if variant == 'code' else 1 / 2))
    assert not student.grad.any()


@pytest.mark.parametrize('norm', [1e-3, 1e-11, 5e-13])
def test_maps_are_normalized_down_to_the_published_norm(norm):
    """A norm below 1e-12 counts as 1e-12."""
    student, teacher = random(1, 4, 3, 3), random(1, 4, 3, 3, seed=1)
    student *= (norm / student.square().sum(1).norm()).sqrt()
    ours, theirs = (flat(activation_maps(x, 'sum', 2)) for x in (student, teacher))
    found = ActivationTransfer()(student, teacher).item()
    assert found == pytest.approx(sum(distances(ours, theirs)) / 9, rel=1e-9)


@pytest.mark.parametrize('variant', ['code', 'paper'])
def test_a_student_that_has_reached_the_teacher_has_a_finite_gradient(variant):
    student = random(2, 3, 4, 4)
    leaf = student.clone().requires_grad_()
    ActivationTransfer(variant=variant)(leaf, student).backward()
    assert not leaf.grad.any()


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
@pytest.mark.parametrize('variant', ['code', 'paper'])
def test_half_precision_is_computed_as_float32(dtype, variant):
    """With values whose squares float16 does not hold."""
    student, teacher = (300 * random(2, 4, 5, 5, seed=seed) for seed in (0, 1))
    student, teacher = student.to(dtype).requires_grad_(), teacher.to(dtype)
    loss = ActivationTransfer(variant=variant)
    with torch.autocast('cpu', AUTOCAST[-1]):
        found = loss(student, teacher)
    assert found.dtype is torch.float32
    torch.testing.assert_close(found.double(), loss(student.double(), teacher.double()), rtol=1e-5, atol=0)
    (1000 * found).backward()
    assert student.grad.dtype is dtype and student.grad.isfinite().all() and student.grad.any()


def test_the_teachers_map_is_interpolated_and_not_the_students():
    """A gradient at one place of the student's map does not depend on its neighbours but by the norm: it is the
    formula's.
    """
    student, teacher = random(1, 2, 6, 6).requires_grad_(), random(1, 2, 2, 2, seed=1)
    enlarged = torch.nn.functional.interpolate(
        teacher.square().sum(1, keepdim=True), size=(6, 6), mode='bilinear'
    ).sqrt()
    loss = ActivationTransfer()
    torch.testing.assert_close(loss(student, teacher), loss(student, enlarged))


def test_what_cannot_work_is_refused():
    for options, message in [
        (dict(map='mean'), "there is no activation map 'mean'"),
        (dict(p=0), 'p=0 of the activation map'),
        (dict(variant='papers'), "variant='papers' must be 'code' or 'paper'"),
    ]:
        with pytest.raises(ValueError, match=message):
            ActivationTransfer(**options)
    loss = ActivationTransfer()
    for student, teacher in [((2, 3), (2, 3)), ((2, 3, 4, 4), (2, 3)), ((2, 3, 4, 4), (1, 3, 4, 4))]:
        with pytest.raises(ValueError, match='choose a pair of layers that give maps'):
            loss(torch.zeros(student), torch.zeros(teacher))
