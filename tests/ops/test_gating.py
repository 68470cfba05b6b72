"""The one backward of gated layers: what it must get right beside the numbers, which the layer contract compares."""

import copy

import pytest
import torch
from torch.utils.checkpoint import checkpoint

from attn_plugins.ops import mode
from attn_plugins.ops.channel_gating import ChannelGating
from attn_plugins.ops.mode import follows_reference, reference
from tests.layers.check import scramble
from tests.layers.helpers import make

LAYERS = {
    'SE': dict(reduction=4),
    'SRM': {},
    'GCT': {},
    'FCA': dict(reduction=4, frequencies='low4'),
    'CBAM': dict(reduction=4),
    'BAM': dict(reduction=4),
    'GC': dict(ratio=1 / 4, fusion_types=['channel_add', 'channel_mul']),
    'CoordAttention': dict(min_channels=4),
    'TripletAttention': dict(kernel_size=3),
    'GALA': {},
    'SGE': dict(groups=4),
    'SimAM': {},
    'IEBN': {},
}


@pytest.fixture(params=LAYERS)
def layer(request):
    torch.manual_seed(0)
    name = request.param
    layer = make(name, **LAYERS[name], **{'num_features' if name == 'IEBN' else 'in_channels': 8}).double()
    scramble(layer)
    return layer


@pytest.fixture
def x():
    torch.manual_seed(1)
    return torch.randn(3, 8, 4, 5, dtype=torch.float64, requires_grad=True)


def weighting(y: torch.Tensor) -> torch.Tensor:
    return torch.arange(y.numel(), dtype=y.dtype).view_as(y).sin()


def gradients(layer, x, run=lambda layer, x: layer(x)):
    """Those of the map and of the parameters, of a copy, so that running statistics are the same for all."""
    layer, x = copy.deepcopy(layer), x.detach().requires_grad_()
    y = run(layer, x)
    (y * weighting(y)).sum().backward()
    return [x.grad, *(p.grad for p in layer.parameters())]


def expected(layer, x, run=lambda layer, x: layer(x)):
    with reference():
        return gradients(layer, x, run)


def nodes(y):
    """The names of the functions in a graph."""
    seen, open_nodes = set(), [y.grad_fn]
    while open_nodes:
        node = open_nodes.pop()
        if node is not None and node not in seen:
            seen.add(node)
            open_nodes += [child for child, _ in node.next_functions]
    return {node.name() for node in seen}


def assert_same(ours, theirs):
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-10)


def test_fewer_bytes_are_moved_than_by_the_formula(layer, x):
    """Else the rest of this file would compare the formula with itself: the own backward is in the graph."""
    own = {'_RecalibrateBackward', '_FusedBackward'}
    assert own & nodes(layer(x))
    with reference():
        assert follows_reference()
        assert not own & nodes(layer(x))


def test_second_derivatives(layer, x):
    def penalty(layer):
        layer = copy.deepcopy(layer)
        y = layer(x)
        (dx,) = torch.autograd.grad((y * weighting(y)).sum(), x, create_graph=True)
        wanted = [x, *layer.parameters()]
        return torch.autograd.grad(dx.square().sum(), wanted, allow_unused=True, materialize_grads=True)

    def both(layer):
        """Of a first and a second derivative in one walk through the graph."""
        layer = copy.deepcopy(layer)
        y = layer(x)
        (dx,) = torch.autograd.grad((y * weighting(y)).sum(), x, create_graph=True)
        wanted = [x, *layer.parameters()]
        return torch.autograd.grad(dx.square().sum() + y.pow(3).sum(), wanted)

    for loss in (penalty, both):
        ours = loss(layer)
        with reference():
            theirs = loss(layer)
        assert_same(ours, theirs)


def test_activation_checkpointing(layer, x):
    for reentrant in (True, False):

        def run(layer, x, reentrant=reentrant):
            return checkpoint(layer.eval(), x, use_reentrant=reentrant)

        assert_same(gradients(layer, x, run), expected(layer, x, lambda layer, x: layer.eval()(x)))


def test_a_graph_that_is_kept_is_walked_twice(layer, x):
    y = layer(x)
    first, second = (torch.autograd.grad(y.sum(), x, retain_graph=True) for _ in range(2))
    assert_same(first, second)


def test_gradients_of_some(layer, x):
    """Of the parameters alone, or of the map alone."""
    twin = copy.deepcopy(layer)
    y = twin(x.detach())
    parameters = list(twin.parameters())
    if parameters:
        ours = torch.autograd.grad((y * weighting(y)).sum(), parameters)
        assert_same(ours, expected(layer, x)[1:])
    twin = copy.deepcopy(layer).requires_grad_(False)
    y = twin(x)
    assert_same(torch.autograd.grad((y * weighting(y)).sum(), x), expected(layer, x)[:1])


def test_gradients_that_are_laid_out_otherwise(layer, x):
    """Expanded, as those of a sum; permuted, as those of a transposed loss."""
    for loss in (lambda y: y.sum(), lambda y: (y.transpose(1, 3) * weighting(y.transpose(1, 3))).sum()):

        def run(layer, x, loss=loss):
            return loss(layer(x))

        assert_same(gradients(layer, x, run), expected(layer, x, run))


def test_maps_that_are_laid_out_otherwise(layer, x):
    """Views: transposed, a part of a larger map, every other column, one sample for all."""
    views = {
        'transposed': lambda x: x.transpose(2, 3),
        'part': lambda x: x[:, :, 1:, 1:4],
        'strided': lambda x: x[:, :, :, ::2],
        'expanded': lambda x: x[:1].expand(3, -1, -1, -1),
        'channels last': lambda x: x.contiguous(memory_format=torch.channels_last),
    }
    for view in views.values():

        def run(layer, x, view=view):
            return layer(view(x))

        assert_same(gradients(layer, x, run), expected(layer, x, run))


def test_the_result_may_be_changed_in_place(layer, x):
    def run(layer, x):
        return torch.relu_(layer(x))

    assert_same(gradients(layer, x, run), expected(layer, x, run))


def test_a_map_changed_in_place_is_noticed(layer, x):
    given = x * 1
    y = layer(given)
    given.add_(1)
    with pytest.raises(RuntimeError, match='modified by an inplace operation'):
        y.sum().backward()


def test_function_transforms(layer, x):
    """`torch.func` differentiates the formula."""
    layer.eval()
    state = {name: p.detach() for name, p in layer.named_parameters()}

    def loss(state, x):
        y = torch.func.functional_call(layer, state, (x,))
        return (y * weighting(y)).sum()

    ours = torch.func.grad(loss, 1)(state, x.detach())
    assert_same([ours], expected(layer, x, lambda layer, x: layer.eval()(x))[:1])
    per_sample = torch.func.vmap(torch.func.grad(lambda x: layer(x[None]).sum()))(x.detach())
    whole = torch.autograd.grad(layer(x).sum(), x)
    assert_same([per_sample], whole)


def test_forward_mode(layer, x):
    layer.eval()
    tangent = weighting(x)
    with torch.autograd.forward_ad.dual_level():
        y = layer(torch.autograd.forward_ad.make_dual(x.detach(), tangent))
        ours = torch.autograd.forward_ad.unpack_dual(y).tangent
    with reference():
        _, theirs = torch.autograd.functional.jvp(layer, x.detach(), tangent)
    assert_same([ours], [theirs])


def test_the_environment_variable_asks_for_the_formula():
    import os
    import subprocess
    import sys

    code = 'from attn_plugins.ops.mode import follows_reference; print(follows_reference())'
    for value, answer in (('1', 'True'), ('0', 'False')):
        environment = dict(os.environ, ATTN_PLUGINS_REFERENCE=value)
        out = subprocess.run([sys.executable, '-c', code], env=environment, capture_output=True, text=True)
        assert out.stdout.strip() == answer


def test_small_maps_take_the_formula_whose_steps_are_fewer(monkeypatch):
    """And large ones the fast form, with the same numbers: only on which side of the border a map lies is different."""
    monkeypatch.setattr(mode, '_small_too', False)
    layer = make('SE', reduction=4, in_channels=8)
    x = torch.randn(2, 8, 16, 16, requires_grad=True)
    small = layer(x)
    monkeypatch.setattr(ChannelGating, 'few', x.numel())
    large = layer(x)
    assert small.grad_fn.name() == 'MulBackward0' and large.grad_fn.name() == '_RecalibrateBackward'
    torch.testing.assert_close(small, large)
