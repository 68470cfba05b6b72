"""The input gradient is each sample's own and can be differentiated; a model whose gradient cannot be is named."""

import functools

import pytest
import torch
import torch.nn.functional as F
from mmcv.ops import RoIAlign
from torch import nn
from torch.autograd.function import Function, once_differentiable

from attn_plugins.distillation.losses import GradientNorm
from attn_plugins.distillation.losses.input_gradient import SCALE, check_twice_differentiable, input_gradient
from attn_plugins.errors import UserError
from attn_plugins.layers import IEBN, SE, CoordAttention, NonLocal
from attn_plugins.ops import mode
from tests.distillation.losses.formulas import random
from tests.stack import AUTOCAST

NETS = dict(
    se=lambda: SE(4, reduction=2),
    iebn=lambda: IEBN(4),
    ca=lambda: CoordAttention(4, reduction=2),
)
LABELS = torch.tensor([0, 2, 1])


def small_net(layer: nn.Module) -> nn.Module:
    """Convolution, layer, classifier, in float64 and in training; smooth, so that differences of gradients are
    derivatives.
    """
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), layer, nn.Softplus(), nn.Flatten(), nn.Linear(4 * 20, 3)
    )
    for parameter in layer.parameters():
        nn.init.normal_(parameter)
    return net.double()


def images(number: int = 3) -> torch.Tensor:
    return random(number, 3, 4, 5).requires_grad_()


def convolution() -> nn.Conv2d:
    torch.manual_seed(0)
    return nn.Conv2d(3, 4, 3, padding=1).double()


@pytest.mark.parametrize('layer', NETS)
def test_value_and_second_derivatives_are_those_of_the_formula(layer):
    """Of our layers' fast forms, against torch.autograd.functional on the reference."""
    net, x = small_net(NETS[layer]()), images()
    parameters = list(net.parameters())
    gradient = input_gradient(F.cross_entropy(net(x), LABELS), x, 3, create_graph=True)
    check_twice_differentiable(gradient, parameters)
    with mode.reference():
        # A batch norm gives every sample a part in the others' losses; so it is their sum that is differentiated.
        expected = torch.autograd.functional.jacobian(
            lambda x: F.cross_entropy(net(x), LABELS, reduction='sum'), x, create_graph=True
        )
    torch.testing.assert_close(gradient, expected, rtol=1e-9, atol=1e-12)
    ours, theirs = (
        torch.autograd.grad(GradientNorm()(each), parameters, allow_unused=True)
        for each in (gradient, expected)
    )
    for found, reference in zip(ours, theirs, strict=True):
        torch.testing.assert_close(found, reference, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize('layer', NETS)
def test_second_derivatives_are_differences_of_first_ones(layer):
    net, x = small_net(NETS[layer]()), images()
    # By two parameters, the first and one of the layer's own: numerical derivatives of all take long.
    names, values = zip(
        *(list(net.named_parameters())[:1] + list(net[1].named_parameters(prefix='1'))[:1]), strict=True
    )

    def loss(*values):
        scores = torch.func.functional_call(net, dict(zip(names, values, strict=True)), x)
        return GradientNorm()(input_gradient(F.cross_entropy(scores, LABELS), x, 3, create_graph=True))

    assert torch.autograd.gradcheck(loss, values)


def test_each_sample_has_its_own_gradient():
    net, x = convolution(), images()
    total = net(x).square().flatten(1).sum(1).mean()
    found = input_gradient(total, x, 3, create_graph=False)
    for n in range(3):
        alone = x[n : n + 1].detach().requires_grad_()
        (expected,) = torch.autograd.grad(net(alone).square().sum(), alone)
        torch.testing.assert_close(found[n : n + 1], expected)
    assert not found.requires_grad


def test_the_model_can_still_be_trained_with_its_own_loss():
    """The graph of the total is kept, and no weight has got a gradient."""
    net, x = convolution(), images()
    total = net(x).square().mean()
    input_gradient(total, x, 3, create_graph=True)
    assert x.grad is None and net.weight.grad is None
    total.backward()
    assert net.weight.grad.any()


def test_it_is_taken_where_nothing_else_is_differentiated():
    """A teacher's, within `no_grad`."""
    net, x = convolution(), images()
    total = net(x).square().mean()
    with torch.no_grad():
        found = input_gradient(total, x, 3, create_graph=False)
    torch.testing.assert_close(found, input_gradient(total, x, 3, create_graph=True))


def test_images_may_be_computed_themselves():
    net, raw = convolution(), images()
    x = raw * 2
    found = input_gradient(net(x).square().mean(), x, 3, create_graph=True)
    leaf = x.detach().requires_grad_()
    torch.testing.assert_close(found, input_gradient(net(leaf).square().mean(), leaf, 3, create_graph=True))


@pytest.mark.parametrize('slope', [3e-6, 3e-8, 1.0, 1000.0])
def test_gradients_of_half_precision_neither_underflow_nor_overflow(slope):
    """3e-8 is less than float16's smallest number, and 1000 times the scale more than its largest."""
    x = torch.ones(4, 3, 2, 2, requires_grad=True)
    half = x.half()
    found = input_gradient((half.float() * slope).sum((1, 2, 3)).mean(), x, 4, create_graph=True)
    assert found.dtype is torch.float32
    smallest = 2.0**-24 / SCALE
    torch.testing.assert_close(found, torch.full_like(found, slope), rtol=2**-10, atol=smallest)


def test_images_in_half_precision_have_a_gradient_in_float32():
    x = torch.ones(2, 3, 2, 2, dtype=torch.float16, requires_grad=True)
    found = input_gradient((x.float() * 1e-7).sum((1, 2, 3)).mean(), x, 2, create_graph=False)
    assert found.dtype is torch.float32
    torch.testing.assert_close(found, torch.full_like(found, 1e-7), rtol=1e-2, atol=0)


@pytest.mark.parametrize('dtype', AUTOCAST)
@pytest.mark.parametrize('layer', NETS)
def test_autocast(layer, dtype):
    """The gradient of a training step in half precision, and the second derivative, are near those of the whole one."""
    net, x = small_net(NETS[layer]()).float(), images().detach().float().requires_grad_()
    found = []
    for enabled in (True, False):
        with torch.autocast('cpu', dtype, enabled=enabled):
            total = F.cross_entropy(net(x), LABELS)
            gradient = input_gradient(total, x, 3, create_graph=True)
            check_twice_differentiable(gradient, list(net.parameters()))
            loss = GradientNorm()(gradient)
        assert gradient.dtype is loss.dtype is torch.float32
        found.append((gradient, *torch.autograd.grad(loss, [net[0].weight, net[4].weight])))
    for half, whole in zip(*found, strict=True):
        cosine = F.cosine_similarity(half.flatten(), whole.flatten(), dim=0)
        assert cosine > 0.99 and 0.95 < half.norm() / whole.norm() < 1.05


@pytest.mark.parametrize('create_graph', [True, False])
def test_what_a_model_computes_without_autocast_is_differentiated_without_it(create_graph):
    torch.manual_seed(0)
    net, x = nn.Linear(30, 20), torch.randn(2, 30, requires_grad=True)
    expected = input_gradient(net(x).square().sum(), x, 1, create_graph)
    with torch.autocast('cpu', torch.bfloat16):
        with torch.autocast('cpu', enabled=False):
            total = net(x).square().sum()
        found = input_gradient(total, x, 1, create_graph)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=0)


def test_roi_align_is_named():
    """mmcv's is marked as differentiable once; its first derivative is fine, for a teacher."""
    net, x = convolution().float(), images().detach().float().requires_grad_()
    boxes = torch.tensor([[0, 0, 0, 3, 3], [1, 1, 1, 4, 3.0]])
    total = RoIAlign(2, 1.0, 0)(net(x), boxes).square().mean()
    assert input_gradient(total, x, 3, create_graph=False).any()
    with pytest.raises(UserError) as error:
        input_gradient(total, x, 3, create_graph=True)
    assert str(error.value) == (
        'the model has an operation without a second derivative, RoIAlignFunction, which losses of the input gradient '
        'need: choose attn_plugins.ActivationTransfer, or a model without it'
    )


class Once(Function):
    """y = x, whose backward must not be run."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx, dy):
        raise AssertionError('it was differentiated')


class OnceWrapped(Once):
    """As `torch.amp.custom_bwd` wraps it."""

    backward = staticmethod(functools.wraps(Once.backward)(lambda *args: Once.backward(*args)))


class Twice(Function):
    """y = x, by a function without the mark."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, dy):
        return dy.clone()


@pytest.mark.parametrize('function', [Once, OnceWrapped])
def test_the_mark_is_found_before_anything_is_differentiated(function):
    net, x = convolution(), images()
    with pytest.raises(UserError, match=f'without a second derivative, {function.__name__}, which'):
        input_gradient(function.apply(net(x)).square().mean(), x, 3, create_graph=True)


def test_the_mark_does_not_matter_beside_the_way_to_the_images():
    net, x = convolution(), images()
    total = net(Twice.apply(x)).square().mean() + Once.apply(net.bias).sum()
    gradient = input_gradient(total, x, 3, create_graph=True)
    check_twice_differentiable(gradient, list(net.parameters()))


@pytest.mark.parametrize(
    'operation, name',
    [
        (F.hardsigmoid, 'aten::hardsigmoid_backward'),
        (lambda y: torch.cdist(y.flatten(2), y.flatten(2) + 1), '_cdist_backward'),
        (torch.compile(nn.Sigmoid(), backend='aot_eager'), 'torch.compile'),
    ],
)
def test_operators_without_a_second_derivative_are_named(operation, name):
    net, x = convolution(), images()
    gradient = input_gradient(operation(net(x)).square().mean(), x, 3, create_graph=True)
    with pytest.raises(UserError) as error:
        check_twice_differentiable(gradient, list(net.parameters()))
    assert str(error.value) == (
        f'the model has an operation without a second derivative, {name}, which losses of the input gradient need: '
        'choose attn_plugins.ActivationTransfer, or a model without it'
    )


def test_torchvisions_operators_are_named():
    roi_align = pytest.importorskip('torchvision.ops').roi_align
    net, x = convolution(), images()
    boxes = torch.tensor([[0, 0, 0, 3, 3], [1, 1, 1, 4, 3.0]]).double()
    gradient = input_gradient(roi_align(net(x), boxes, 2).square().mean(), x, 3, create_graph=True)
    with pytest.raises(UserError, match='without a second derivative, roi_align, which'):
        check_twice_differentiable(gradient, list(net.parameters()))


class FusedAttention(nn.Module):
    """As a host may have it."""

    def forward(self, x):
        rows = x.flatten(2).transpose(1, 2)[:, None].contiguous()
        return nn.functional.scaled_dot_product_attention(rows, rows, rows)


@pytest.mark.parametrize('layer', [NonLocal(4, reduction=1), FusedAttention()])
def test_fused_attention_is_named_in_a_host_and_no_matter_in_our_layers(layer):
    net, x = nn.Sequential(convolution(), layer).double(), images()
    if isinstance(layer, NonLocal):
        nn.init.ones_(layer.conv_out.weight)
    gradient = input_gradient(net(x).square().mean(), x, 3, create_graph=True)
    if isinstance(layer, NonLocal):
        check_twice_differentiable(gradient, list(net.parameters()))
    else:
        with pytest.raises(UserError, match='without a second derivative, .*scaled_dot_product'):
            check_twice_differentiable(gradient, list(net.parameters()))


def test_other_errors_of_the_probe_are_torchs_own():
    net, x = convolution(), images()
    gradient = input_gradient(net(x).square().mean(), x, 3, create_graph=True)
    with pytest.raises(RuntimeError, match='does not require grad'):
        check_twice_differentiable(gradient, [torch.zeros(1)])


def test_the_probe_leaves_no_gradient_behind_and_keeps_the_graph():
    net, x = convolution(), images()
    gradient = input_gradient(net(x).square().mean(), x, 3, create_graph=True)
    check_twice_differentiable(gradient, list(net.parameters()))
    assert net.weight.grad is None and x.grad is None
    GradientNorm()(gradient).backward()
    assert net.weight.grad.any()


@pytest.mark.parametrize('create_graph', [True, False])
def test_a_loss_that_does_not_depend_on_the_images(create_graph):
    net, x = convolution(), images()
    for total in (net(x.detach()).mean(), torch.ones(())):
        with pytest.raises(
            UserError, match='the loss does not depend on the images, so it has no input gradient'
        ):
            input_gradient(total, x, 3, create_graph)


def test_a_gradient_that_no_weight_changes():
    net, x = convolution(), images()
    for total in ((2 * x).mean(), (x.square() + net.bias[:3, None, None]).mean()):
        gradient = input_gradient(total, x, 3, create_graph=True)
        with pytest.raises(
            UserError, match="the model's input gradient depends on no weight that is trained"
        ):
            check_twice_differentiable(gradient, list(net.parameters()))
