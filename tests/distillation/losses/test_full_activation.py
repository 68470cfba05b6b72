"""Full-activation transfer is its formula; its convolutions are trained, and no checkpoint of the student has them."""

import copy

import pytest
import torch
from mmengine.runner.checkpoint import get_state_dict, load_state_dict
from torch import nn

from attn_plugins.distillation.losses import FullActivationTransfer
from tests.distillation.losses.formulas import distances, random, resized
from tests.stack import AUTOCAST


def adapted(*channels: tuple[int, int]) -> FullActivationTransfer:
    """The loss, in float64, with a pair for each pair of channels."""
    torch.manual_seed(0)
    loss = FullActivationTransfer()
    for student, teacher in channels:
        loss.build_adapter(student, teacher)
    return loss.double()


def convolved(x, adapter):
    """A 1x1 convolution, place by place."""
    y = torch.empty(len(x), adapter.out_channels, *x.shape[2:], dtype=x.dtype)
    for n in range(len(x)):
        for i in range(x.shape[2]):
            for j in range(x.shape[3]):
                y[n, :, i, j] = adapter.weight[:, :, 0, 0] @ x[n, :, i, j] + adapter.bias
    return y


@pytest.mark.parametrize('widths', [(4, 4), (4, 6), (6, 2)])
@pytest.mark.parametrize('size', [(5, 4), (3, 7), (1, 1)])
def test_it_is_the_formula(widths, size):
    loss = adapted(widths)
    student, teacher = random(3, widths[0], 5, 4), random(3, widths[1], *size, seed=1)
    ours = student if widths[0] == widths[1] else convolved(student, loss.adapters[0])
    theirs = [
        [value for channel in sample.tolist() for row in resized(channel, 5, 4) for value in row]
        for sample in teacher
    ]
    expected = sum(distances(ours.flatten(1).tolist(), theirs)) / (3 * 20)
    assert loss(student, teacher).item() == pytest.approx(expected, rel=1e-12)


def test_its_gradients_by_the_features_and_the_convolution():
    loss, teacher = adapted((3, 5)), random(2, 5, 2, 3, seed=1)
    names, values = zip(*loss.named_parameters(), strict=True)
    assert names == ('adapters.0.weight', 'adapters.0.bias')

    def by_all(student, *values):
        return torch.func.functional_call(loss, dict(zip(names, values, strict=True)), (student, teacher))

    assert torch.autograd.gradcheck(by_all, (random(2, 3, 3, 3).requires_grad_(), *values))


def test_each_pair_has_its_own_convolution_where_the_widths_differ():
    loss = adapted((4, 6), (5, 5), (4, 6))
    assert [type(adapter).__name__ for adapter in loss.adapters] == ['Adapter', 'Identity', 'Adapter']
    assert sum(parameter.numel() for parameter in loss.parameters()) == 2 * (4 + 1) * 6
    student, teacher = random(2, 4, 3, 3), random(2, 6, 3, 3, seed=1)
    assert loss(student, teacher, 0) != loss(student, teacher, pair=2)
    assert loss(student, teacher) == loss(student, teacher, 0)
    assert loss(teacher[:, :5], teacher[:, :5], 1) == 0


def test_the_students_checkpoint_is_the_plain_models(tmp_path):
    """With the loss beside it, in torch's and in mmengine's saving and loading."""
    student = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    plain = copy.deepcopy(student)
    student.loss = adapted((4, 6), (4, 4))
    before = student.loss.state()
    assert student.state_dict().keys() == get_state_dict(student).keys() == plain.state_dict().keys()
    assert not student.load_state_dict(plain.state_dict()).missing_keys
    load_state_dict(student, get_state_dict(plain), strict=True)
    for key, value in student.loss.state().items():
        torch.testing.assert_close(value, before[key])
    assert 'loss.adapters.0.weight' in dict(student.named_parameters())


def test_its_weights_are_handed_over():
    loss, other = adapted((4, 6), (4, 4), (3, 2)), adapted((4, 6), (4, 4), (3, 2))
    assert list(loss.state()) == ['0.weight', '0.bias', '2.weight', '2.bias']
    assert not any(value.requires_grad for value in loss.state().values())
    for parameter in loss.parameters():
        nn.init.normal_(parameter)
    other.load_state(copy.deepcopy(loss.state()))
    for parameter, again in zip(loss.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(again, parameter, rtol=0, atol=0)
        assert again.requires_grad
    assert copy.deepcopy(loss).state().keys() == loss.state().keys()


def test_weights_of_other_pairs_are_refused():
    loss = adapted((4, 6))
    for other in (adapted((4, 5)), adapted((4, 4)), adapted((4, 4), (4, 6))):
        with pytest.raises(
            ValueError, match='the weights of loss_fact do not fit: .*resume with the same pairs'
        ):
            loss.load_state(other.state())


@pytest.mark.parametrize('widths', [(3, 3), (3, 5)])
def test_maps_of_zero_have_a_finite_loss_and_gradient(widths):
    loss = adapted(widths).float()
    student = torch.zeros(2, widths[0], 4, 4, requires_grad=True)
    for parameter in loss.parameters():
        nn.init.zeros_(parameter)
    found = loss(student, torch.ones(2, widths[1], 4, 4))
    found.backward()
    # The teacher's vector has the norm 1, the student's 0: a mean of 1 / (H W).
    assert found.item() == pytest.approx(1 / 16)
    assert student.grad.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in loss.parameters())
    assert loss(student, torch.zeros(2, widths[1], 4, 4)) == 0


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
@pytest.mark.parametrize('context', AUTOCAST)
def test_half_precision_is_compared_as_float32(dtype, context):
    """The sum of the squares is more than float16 holds. The convolution is autocast's, so its result has that
    precision.
    """
    student, teacher = (300 * random(2, 4, 5, 5, seed=seed) for seed in (0, 1))
    student, teacher = student.to(dtype).requires_grad_(), teacher.to(dtype)
    for width in (4, 3):
        loss = adapted((4, width)).float()
        with torch.autocast('cpu', context):
            found = loss(student, teacher[:, :width])
            ours = loss.adapters[0](student)
        assert found.dtype is torch.float32 and ours.dtype is (dtype if width == 4 else context)
        exact = adapted((width, width))(ours.double(), teacher[:, :width].double())
        torch.testing.assert_close(found.double(), exact, rtol=1e-5, atol=0)
        student.grad = None
        (1000 * found).backward()
        assert student.grad.isfinite().all() and student.grad.any()


def test_what_cannot_work_is_refused():
    x = torch.zeros(2, 4, 3, 3)
    with pytest.raises(ValueError, match='pair 0 of FullActivationTransfer is not known: call build_adapter'):
        FullActivationTransfer()(x, x)
    loss = adapted((4, 4)).float()
    with pytest.raises(ValueError, match='has 4 channels of the student and 5 of the teacher'):
        loss(x, torch.zeros(2, 5, 3, 3))
    with pytest.raises(ValueError, match='choose a pair of layers that give maps'):
        loss(x, torch.zeros(3, 4, 3, 3))
