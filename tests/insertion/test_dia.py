"""DIA's state goes from block to block of a stage, and nowhere else."""

import copy
import pickle
from functools import partial

import pytest
import torch
from mmengine.model import ExponentialMovingAverage
from torch.utils.checkpoint import checkpoint

from attn_plugins import InsertionError, inserted_layers
from tests.insertion.hosts import forward, plugged, settle
from tests.layers.check import scramble
from tests.stack import AUTOCAST, needs_changing_attributes

R50, R18 = 'mmdet ResNet-50', 'mmdet ResNet-18'
DIA = dict(type='attn_plugins.DIA', reduction=4)


def host(name: str = R50, cfg: dict = DIA, **options) -> torch.nn.Module:
    """A host with one DIA per stage, with random weights."""
    model = plugged(name, cfg, share='stage', **options)
    scramble(model)
    settle(name, model)
    return model


def sigmoid(x):
    return 1 / (1 + torch.exp(-x))


def test_the_recurrence_is_the_published_one():
    """h and c of every block of a stage against the written formula, from the maps that enter the layer."""
    model = host().double()
    calls = []
    layer = model.layer2[0].bn3.attn_layer
    layer.register_forward_hook(lambda _, inputs, y: calls.append((inputs[0].clone(), y.clone())))
    forward(R50, model)
    assert len(calls) == 4
    of_input, of_state = layer.excitation.of_input, layer.excitation.of_state
    h = c = torch.zeros(2, 64, dtype=torch.float64)
    for x, y in calls:
        z = x.mean((2, 3))
        logits = 0
        for vector, (first, _, second) in ((z, of_input), (h, of_state)):
            hidden = (vector @ first.weight.T + first.bias).clamp(min=0)
            logits = logits + hidden @ second.weight.T + second.bias
        i, f, g, o = (logits[:, k * 64 : (k + 1) * 64] for k in range(4))
        c = sigmoid(f) * c + sigmoid(i) * torch.tanh(g)
        h = sigmoid(o) * sigmoid(c)
        torch.testing.assert_close(y, x * h[:, :, None, None], rtol=1e-12, atol=1e-12)


def test_nothing_stays_from_one_forward_to_the_next():
    model = host()
    first = forward(R50, model)
    forward(R50, model, seed=1)
    assert torch.equal(forward(R50, model), first)
    model.train()
    forward(R50, model).sum().backward()
    assert all(layer.excitation.state is None for layer in inserted_layers(model).values())
    model.eval()
    one, other = forward(R50, model), model(torch.randn(5, 3, 32, 64))[-1]  # another batch size and map
    assert len(other) == 5 and torch.equal(forward(R50, model), one)


def test_a_forward_that_broke_off_leaves_no_trace():
    model = host()
    y = forward(R50, model)
    handle = model.layer3[2].register_forward_pre_hook(lambda *_: (_ for _ in ()).throw(MemoryError))
    with pytest.raises(MemoryError):
        forward(R50, model, seed=1)
    handle.remove()
    twin = pickle.loads(pickle.dumps(copy.deepcopy(model)))  # the state of the broken forward holds a graph
    assert torch.equal(forward(R50, model), y) and torch.equal(forward(R50, twin), y)


def test_copies_and_averages_have_a_state_of_their_own():
    model = host()
    model.train()
    forward(R50, model).sum().backward()
    average = ExponentialMovingAverage(model, momentum=0.5)
    average.update_parameters(model)
    model.eval()
    average.module.eval()
    y = forward(R50, model)
    assert torch.equal(forward(R50, average.module), y)
    scramble(model)
    assert torch.equal(forward(R50, average.module), y)
    stage = average.module.layer2
    assert stage[0].bn3.attn_layer is stage[3].bn3.attn_layer is not model.layer2[0].bn3.attn_layer


@pytest.mark.parametrize('dtype', AUTOCAST)
def test_autocast(dtype):
    model = host()
    exact = forward(R50, model)
    with torch.autocast('cpu', dtype):
        y = forward(R50, model)
    assert torch.isfinite(y).all() and y.shape == exact.shape
    # The rounding of half precision in a network of 50 layers, and the directions that matter stay.
    assert torch.cosine_similarity(y.flatten().float(), exact.flatten(), 0) > 0.98


@needs_changing_attributes
def test_it_compiles_as_one_graph():
    model = host(R18)
    y = forward(R18, model)
    torch._dynamo.reset()
    compiled = torch.compile(model, fullgraph=True, backend='eager')
    for _ in range(2):
        torch.testing.assert_close(forward(R18, compiled), y)


def test_it_traces():
    model = host(R18)
    y = forward(R18, model)
    traced = torch.jit.trace(model, torch.randn(1, 3, 64, 64), strict=False, check_trace=False)
    torch.testing.assert_close(forward(R18, traced), y)


def test_the_state_passes_the_gradient_on():
    model = host()
    model.train()
    layer = model.layer2[0].bn3.attn_layer
    gates = []
    layer.excitation.register_forward_hook(lambda _, __, h: gates.append(h))
    forward(R50, model)
    (gradient,) = torch.autograd.grad(gates[-1].sum(), gates[0], retain_graph=True)
    assert gradient.abs().max() > 0


def test_activation_checkpointing_is_refused():
    with pytest.raises(InsertionError, match='DIA hands its state from block to block.*set with_cp=False'):
        plugged(R50, DIA, share='stage', with_cp=True)


@pytest.mark.parametrize('reentrant', [True, False])
@pytest.mark.parametrize('blocks', ['all', 'first', 'middle'])
def test_activation_checkpointing_from_outside_is_noticed(reentrant, blocks):
    """As mmengine's `activation_checkpointing` does it: the right gradients, or one sentence."""
    model = host()
    twin = copy.deepcopy(model)
    blocks_of_stage = list(model.layer2)
    chosen = {'all': blocks_of_stage, 'first': blocks_of_stage[:1], 'middle': blocks_of_stage[1:2]}[blocks]
    for block in chosen:
        block.forward = partial(checkpoint, block.forward, use_reentrant=reentrant)
    gradients = []
    try:
        for each in (model, twin):
            x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)).requires_grad_()
            each.eval()
            each(x)[-1].square().mean().backward()
            gradients.append({key: p.grad for key, p in each.named_parameters()})
    except RuntimeError as error:
        assert 'LSTMExcitation goes from block to block' in str(error) and 'with_cp=False' in str(error)
        return
    assert blocks != 'all', 'blocks run again in the reverse order cannot have found their state'
    for key, gradient in gradients[1].items():
        torch.testing.assert_close(gradients[0][key], gradient, rtol=1e-4, atol=1e-6)


def test_a_state_needs_somewhere_to_go(log_lines):
    model = plugged(R18, DIA)
    assert "has a state but no other block to hand it to: give the entry share='stage'" in ' '.join(log_lines)
    model.eval()
    assert torch.equal(forward(R18, model), forward(R18, model))


def test_parameters_are_counted_once_per_stage():
    widths = [32, 64, 128, 256]  # of a ResNet-50 with 8 base channels
    expected = sum(10 * c * (c // 4) + 2 * (c // 4) + 8 * c for c in widths)
    model = host()
    own = {id(p): p.numel() for layer in inserted_layers(model).values() for p in layer.parameters()}
    assert sum(own.values()) == expected
