"""The controls of a gate: frozen at its mean over the images, or shuffled between them."""

import copy
import pickle
import warnings
from functools import partial

import pytest
import torch
from torch.func import vmap
from torch.utils.checkpoint import checkpoint

from attn_plugins import InsertionError, inserted_layers, plug
from attn_plugins.layers import IEBN, SE, ChannelAttention
from attn_plugins.layers.channel.parts.gate import ShuffledImages
from attn_plugins.registry import MODELS

FC = dict(type='fc', reduction=4)
SHUFFLED = dict(type='attn_plugins.ChannelAttention', excitation=FC, gate=dict(type='shuffled_images'))


def twins(kind: str) -> tuple[SE, ChannelAttention]:
    """SE and its control with the same weights."""
    torch.manual_seed(0)
    layer = SE(8, reduction=4)
    control = ChannelAttention(8, excitation=FC, gate=dict(type=kind))
    control.load_state_dict(layer.state_dict(), strict=False)
    return layer, control


def gates(layer: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
    """(N, C), what each image was multiplied by."""
    return (layer(x) / x).mean((2, 3))


def test_the_mean_is_of_the_batch_in_training_and_a_running_one_in_evaluation():
    layer, control = twins('mean_over_images')
    first, second = torch.rand(2, 3, 8, 4, 5) + 0.5
    means = []
    for x in (first, second):
        mean = gates(layer, x).mean(0)
        torch.testing.assert_close(gates(control, x), mean.expand(3, 8))
        means.append(mean)
    control.eval()
    running = 0.9 * means[0] + 0.1 * means[1]
    torch.testing.assert_close(gates(control, torch.rand(5, 8, 3, 3) + 0.5), running.expand(5, 8))


def test_the_mean_learns_and_is_saved():
    _, control = twins('mean_over_images')
    control(torch.rand(3, 8, 4, 5)).sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in control.parameters())
    other = ChannelAttention(8, excitation=FC, gate=dict(type='mean_over_images'))
    other.load_state_dict(control.state_dict())
    x = torch.rand(2, 8, 4, 5)
    assert torch.equal(other.eval()(x), control.eval()(x))


def whose(given: torch.Tensor, own: torch.Tensor) -> list[int]:
    """Of which image the gates are that each was given."""
    found = [int((own - gate).abs().sum(1).argmin()) for gate in given]
    torch.testing.assert_close(given, own[found])
    return found


def test_shuffled_gates_are_those_of_other_images_of_the_batch_in_training():
    layer, control = twins('shuffled_images')
    x = torch.rand(5, 8, 4, 5) + 0.5
    own, before, orders = gates(layer, x), torch.get_rng_state(), set()
    for _ in range(10):
        order = whose(gates(control, x), own)
        assert sorted(order) == list(range(5)) and all(i != j for i, j in enumerate(order))
        orders.add(tuple(order))
    assert len(orders) > 1, 'each step draws anew'
    assert torch.equal(torch.get_rng_state(), before), (
        "the host's dropout is to be that of a training without the layer"
    )
    with pytest.warns(
        UserWarning, match='a batch of one image keeps its own gate in training, so it is no control'
    ):
        torch.testing.assert_close(gates(control, x[:1]), own[:1])


def test_the_draws_of_a_training_come_of_its_seed():
    def draws(seed: int, scale: float = 1) -> list[torch.Tensor]:
        torch.manual_seed(seed)
        gate = ShuffledImages(3, 'identity')
        return torch.stack([gate(scale * torch.arange(9.0)[:, None])[0] for _ in range(20)]) / scale

    assert torch.equal(draws(1), draws(1)) and not torch.equal(draws(1), draws(2))
    assert not torch.equal(draws(1), draws(1, scale=2)), 'another layer draws others'


@pytest.mark.parametrize('reentrant', [True, False])
def test_activation_checkpointing_shuffles_as_before(reentrant):
    """Two forward passes wait for their backward, and torch's own stream of random numbers stands still meanwhile."""
    _, layer = twins('shuffled_images')
    layer.double()
    xs = torch.rand(2, 9, 8, 4, 5, dtype=torch.float64) + 0.5
    gradients = []
    for run in (layer, partial(checkpoint, copy.deepcopy(layer), use_reentrant=reentrant)):
        leaf = xs.clone().requires_grad_()
        torch.stack([run(x) for x in leaf]).square().sum().backward()
        gradients.append(leaf.grad)
    torch.testing.assert_close(*gradients)


def test_shuffled_gates_are_those_of_any_image_seen_in_evaluation():
    """Of one image at a time too, and of a test set class by class: never its own, and of the whole test."""
    layer, control = twins('shuffled_images')
    x = torch.rand(40, 8, 4, 5) + 0.5
    own, before = gates(layer, x), torch.get_rng_state()
    for size in (1, 4):
        orders = []
        for _ in range(2):
            control.eval()
            with warnings.catch_warnings():
                warnings.simplefilter('error' if size > 1 else 'ignore')
                orders.append(whose(torch.cat([gates(control, part) for part in x.split(size)]), own))
        assert orders[0] == orders[1], 'drawn with a fixed seed, anew from `eval()` on'
        assert all(i != j for i, j in enumerate(orders[0]) if i or size > 1)
        assert all(j < (i // size + 1) * size for i, j in enumerate(orders[0]))
        # By classes of four, 30 on average are another's; of the neighbours in a batch none.
        assert sum(i // 4 != j // 4 for i, j in enumerate(orders[0])) > 20
    control.eval()
    with pytest.warns(UserWarning, match='the first image of a test by single images keeps its own gate'):
        torch.testing.assert_close(gates(control, x[:1]), own[:1])
    assert whose(gates(control, x[1:2]), own) == [0], 'and the second one has the first'
    assert torch.equal(torch.get_rng_state(), before)
    assert control.state_dict().keys() == layer.state_dict().keys()


def test_images_that_were_seen_stay_behind_when_a_mode_is_set_or_a_copy_is_made():
    _, control = twins('shuffled_images')
    x = torch.rand(6, 8, 4, 5) + 0.5
    first = gates(control.eval(), x)
    assert not torch.equal(gates(control, x), first)
    for other in (copy.deepcopy(control), pickle.loads(pickle.dumps(control)), control.train().eval()):
        assert torch.equal(gates(other, x), first)


def test_compiled_traced_and_transformed_the_batch_is_rolled_on_by_one():
    layer, control = twins('shuffled_images')
    x = torch.rand(5, 8, 4, 5) + 0.5
    expected = gates(layer, x).roll(1, 0)
    traced = torch.jit.trace(control.eval(), x, check_trace=False)
    for run in (
        traced,
        torch.compile(control.train(), fullgraph=True, backend='eager'),
        lambda x: vmap(control)(x[None])[0],
    ):
        torch.testing.assert_close((run(x) / x).mean((2, 3)), expected)
    assert control.to('meta')(x.to('meta')).shape == x.shape


@pytest.mark.filterwarnings('ignore:shuffled_images. the first image')
def test_blocks_that_share_a_layer_exchange_their_own_gates():
    """Though one follows the other, also after a pass that was cut off between them."""
    torch.manual_seed(0)
    host = MODELS.build(dict(type='attn_plugins.CifarResNet', depth=14)).eval()
    plug(host, [dict(cfg=SHUFFLED, position='after_conv2', share='stage')])
    gate = inserted_layers(host)['layer1.0.conv2.attn_channel'].gate
    blocks = dict(first=[], second=[])
    for name, block in zip(blocks, host.layer1, strict=True):
        block.register_forward_pre_hook(lambda *_, name=name: blocks.update(now=name))
    gate.register_forward_hook(
        lambda gate, args, given: blocks[blocks['now']].append((gate.gate(args[0]), given))
    )
    for number in range(6):
        if number == 3:
            cut = host.layer1[1].register_forward_pre_hook(lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                host(torch.randn(1, 3, 16, 16))
            cut.remove()
        host(torch.randn(1, 3, 16, 16))
    for name, runs in (('first', 7), ('second', 6)):
        own, given = (torch.cat(parts) for parts in zip(*blocks[name], strict=True))
        assert len(own) == runs and all(i != j for i, j in enumerate(whose(given, own)) if i)


def test_iebn_takes_the_controls():
    torch.manual_seed(0)
    plain = IEBN(4)
    torch.nn.init.normal_(plain.gate_weight)
    x = torch.randn(3, 4, 5, 5)
    mean, shuffled = (IEBN(4, gate=dict(type=kind)) for kind in ('mean_over_images', 'shuffled_images'))
    for control in (mean, shuffled):
        control.load_state_dict(plain.state_dict(), strict=False)
    delta = torch.sigmoid(plain.gate_weight * x.mean((2, 3)) + plain.gate_bias)
    normalized = copy.deepcopy(plain.bn)(x)
    torch.testing.assert_close(plain(x), normalized * delta[:, :, None, None])
    torch.testing.assert_close(mean(x), normalized * delta.mean(0)[:, None, None])
    given = (shuffled(x) / normalized).mean((2, 3))
    assert all(i != j for i, j in enumerate(whose(given, delta)))


def test_any_gate_of_iebn():
    x = torch.randn(3, 4, 5, 5)
    layer = IEBN(4, gate='identity')
    torch.testing.assert_close(layer(x), -copy.deepcopy(layer.bn)(x))


def test_what_has_no_gate_per_image_is_refused():
    for kind in ('mean_over_images', 'shuffled_images'):
        with pytest.raises(
            ValueError, match="with squeeze='strips': the gates of rows and columns are of places"
        ):
            ChannelAttention(8, squeeze='strips', excitation='conv1d', gate=dict(type=kind))


def test_blocks_that_share_a_layer_have_no_one_mean():
    host = MODELS.build(dict(type='attn_plugins.CifarResNet', depth=14))
    entry = dict(position='after_conv2', share='stage')
    cfg = dict(type='attn_plugins.ChannelAttention', excitation=FC, gate=dict(type='mean_over_images'))
    with pytest.raises(
        InsertionError, match='MeanOverImages keeps a running mean of one place: leave share out'
    ):
        plug(host, [dict(entry, cfg=cfg)])
    plug(host, [dict(entry, cfg=SHUFFLED)])
