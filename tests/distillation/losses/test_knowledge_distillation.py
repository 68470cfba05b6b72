"""Knowledge distillation is its formula, written out with loops."""

import pytest
import torch

from attn_plugins.distillation.losses import KnowledgeDistillation
from tests.distillation.losses.formulas import divergence, random, resized, softmax
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


def binary(logit: float, temperature: float) -> list[float]:
    """The two probabilities of a class that is or is not there."""
    return softmax([logit, 0], temperature)


@pytest.mark.parametrize('temperature', [1, 4])
def test_of_a_sigmoid_each_class_is_or_is_not_there(temperature):
    student, teacher = 3 * random(5, 7), 3 * random(5, 7, seed=1)
    expected = sum(
        divergence(binary(t, temperature), binary(s, temperature))
        for s, t in zip(student.flatten().tolist(), teacher.flatten().tolist(), strict=True)
    )
    found = KnowledgeDistillation(temperature, activation='sigmoid')(student, teacher)
    assert found.item() == pytest.approx(temperature**2 * expected / 5, rel=1e-12)
    one = KnowledgeDistillation(temperature)(student[:, :1], teacher[:, :1], activation='sigmoid')
    two = [torch.stack([z[:, 0], 0 * z[:, 0]], 1) for z in (student, teacher)]
    assert one.item() == pytest.approx(KnowledgeDistillation(temperature)(*two).item(), rel=1e-12)


@pytest.mark.parametrize('activation', ['softmax', 'sigmoid'])
@pytest.mark.parametrize('size', [(), (3, 2)])
def test_of_several_anchors_it_is_the_mean(activation, size):
    """As mmdet has the channels: all classes of an anchor, then those of the next."""
    student, teacher = random(2, 12, *size), random(2, 12, *size, seed=1)
    each = [
        KnowledgeDistillation(activation=activation)(student[:, k : k + 4], teacher[:, k : k + 4])
        for k in (0, 4, 8)
    ]
    for loss, said in (
        (KnowledgeDistillation(activation=activation, classes=4), {}),
        (KnowledgeDistillation(), dict(activation=activation, classes=4)),
    ):
        assert loss(student, teacher, **said).item() == pytest.approx(sum(each).item() / 3, rel=1e-12)


def test_what_is_set_goes_before_what_a_head_says():
    student, teacher = random(2, 12), random(2, 12, seed=1)
    loss = KnowledgeDistillation(activation='sigmoid', classes=3)
    assert loss(student, teacher, activation='softmax', classes=4) == loss(student, teacher)


def test_its_gradient():
    for options in (dict(), dict(activation='sigmoid'), dict(classes=2)):
        loss = KnowledgeDistillation(**options)
        for shape in ((3, 4), (2, 4, 3, 2)):
            teacher = random(*shape, seed=1)
            assert torch.autograd.gradcheck(
                lambda z, teacher=teacher, loss=loss: loss(z, teacher), random(*shape).requires_grad_()
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
    found = KnowledgeDistillation(1, activation='sigmoid')(student, -student.detach())
    assert found.item() == pytest.approx(2e4)


def test_what_cannot_work_is_refused():
    for options, message in [
        (dict(temperature=0), 'temperature=0 of KnowledgeDistillation would divide by 0'),
        (dict(temperature=-1), 'needs a number of at least 0 as temperature, not -1'),
        (dict(alpha=1.5), 'needs a number from 0 to 1 as alpha, not 1.5'),
        (dict(alpha=-0.5), 'needs a number from 0 to 1 as alpha, not -0.5'),
        (dict(alpha=None), 'needs a number from 0 to 1 as alpha, not None'),
        (
            dict(activation='tanh'),
            "activation='tanh' of KnowledgeDistillation must be 'softmax' or 'sigmoid'",
        ),
        (dict(classes=0), 'classes=0 of KnowledgeDistillation must be a number of channels from 1 up'),
        (dict(classes=True), 'must be a number of channels'),
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
    with pytest.raises(
        ValueError, match="the softmax of one channel is 1 whatever it is: set activation='sigmoid'"
    ):
        loss(torch.zeros(2, 1), torch.zeros(2, 1))
    with pytest.raises(
        ValueError, match='12 channels are not those of anchors with 5 each: choose the module'
    ):
        loss(torch.zeros(2, 12), torch.zeros(2, 12), classes=5)
