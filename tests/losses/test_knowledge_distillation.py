"""Knowledge distillation is its formula, written out with loops."""

import pytest
import torch

from attn_plugins.losses import KnowledgeDistillation
from tests.losses.formulas import divergence, random, resized, softmax
from tests.stack import AUTOCAST


@pytest.mark.parametrize('temperature', [1, 4, 2.5])
def test_it_is_the_formula(temperature):
    student, teacher = 3 * random(5, 7), 3 * random(5, 7, seed=1)
    expected = sum(
        divergence(softmax(t, temperature), softmax(s, temperature))
        for s, t in zip(student.tolist(), teacher.tolist(), strict=True)
    )
    found = KnowledgeDistillation(temperature)(student, teacher)
    assert found.item() == pytest.approx(temperature**2 * expected / 5, rel=1e-12)


@pytest.mark.parametrize('size', [(3, 4), (2, 2), (6, 5)])
def test_of_pixels_it_is_the_mean(size):
    student, teacher = random(2, 5, 3, 4), random(2, 5, *size, seed=1)
    large = torch.tensor(
        [[resized(rows, 3, 4) for rows in sample] for sample in teacher.tolist()], dtype=torch.float64
    )
    expected = sum(
        divergence(softmax(large[n, :, i, j].tolist(), 4), softmax(student[n, :, i, j].tolist(), 4))
        for n in range(2)
        for i in range(3)
        for j in range(4)
    )
    found = KnowledgeDistillation()(student, teacher)
    assert found.item() == pytest.approx(16 * expected / 24, rel=1e-12)


def test_its_gradient():
    loss = KnowledgeDistillation()
    for shape in ((3, 4), (2, 4, 3, 2)):
        teacher = random(*shape, seed=1)
        assert torch.autograd.gradcheck(
            lambda z, teacher=teacher: loss(z, teacher), random(*shape).requires_grad_()
        )


def test_a_student_that_has_the_teachers_probabilities_has_no_loss():
    teacher = random(3, 4)
    assert KnowledgeDistillation()(teacher + 5, teacher).item() == pytest.approx(0, abs=1e-14)


def test_alpha_is_shared_with_the_students_own_losses():
    """The authors' total: alpha T^2 KL / B + (1 - alpha) CE."""
    loss = KnowledgeDistillation(alpha=0.25)
    assert (loss.weight, loss.own_share) == (0.25, 0.75)
    loss = KnowledgeDistillation(alpha=0.25, weight=3)
    assert (loss.weight, loss.own_share) == (3, 0.75)
    loss = KnowledgeDistillation(alpha=0)
    assert (loss.weight, loss.own_share) == (0, 1)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_as_float32(dtype):
    student, teacher = (30 * random(4, 10, seed=seed).to(dtype) for seed in (0, 1))
    student.requires_grad_()
    loss = KnowledgeDistillation()
    with torch.autocast('cpu', AUTOCAST[-1]):
        found = loss(student, teacher)
    assert found.dtype is torch.float32
    torch.testing.assert_close(found.double(), loss(student.double(), teacher.double()), rtol=1e-5, atol=0)
    found.backward()
    assert student.grad.isfinite().all() and student.grad.any()


def test_logits_that_are_far_apart_have_a_finite_loss():
    student = torch.tensor([[1e4, -1e4]], requires_grad=True)
    found = KnowledgeDistillation(1)(student, -student.detach())
    assert found.item() == pytest.approx(2e4)
    found.backward()
    assert student.grad.tolist() == [[1, -1]]


def test_what_cannot_work_is_refused():
    for options, message in [
        (dict(temperature=0), 'temperature=0 of KnowledgeDistillation would divide by 0'),
        (dict(temperature=-1), 'needs a number of at least 0 as temperature, not -1'),
        (dict(alpha=1.5), 'needs a number from 0 to 1 as alpha, not 1.5'),
        (dict(alpha=-0.5), 'needs a number from 0 to 1 as alpha, not -0.5'),
        (dict(alpha=None), 'needs a number from 0 to 1 as alpha, not None'),
    ]:
        with pytest.raises(ValueError, match=message):
            KnowledgeDistillation(**options)
    loss = KnowledgeDistillation()
    for student, teacher in [
        ((2, 3), (2, 4)),
        ((2, 3), (3, 3)),
        ((2, 3), (2, 3, 1, 1)),
        ((2, 3, 4), (2, 3, 4)),
    ]:
        with pytest.raises(ValueError, match='take a teacher that was trained for the same classes'):
            loss(torch.zeros(student), torch.zeros(teacher))
