"""The controls of a gate: frozen at its mean over the images, or shuffled between them."""

import copy

import pytest
import torch

from attn_plugins import InsertionError, plug
from attn_plugins.layers import IEBN, SE, ChannelAttention
from attn_plugins.registry import MODELS

FC = dict(type='fc', reduction=4)


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


def test_shuffled_gates_are_those_of_other_images():
    layer, control = twins('shuffled_images')
    x = torch.rand(5, 8, 4, 5) + 0.5
    own = gates(layer, x)
    for _ in range(10):
        given = gates(control, x)
        whose = [int((own - gate).abs().sum(1).argmin()) for gate in given]
        torch.testing.assert_close(given, own[whose])
        assert sorted(whose) == list(range(5)) and all(i != j for i, j in enumerate(whose))
    control.eval()
    torch.testing.assert_close(gates(control, x), own.roll(1, 0))
    with pytest.warns(UserWarning, match='a batch of one image keeps its own gate, so it is no control'):
        torch.testing.assert_close(gates(control, x[:1]), own[:1])


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
    shuffled.eval(), shuffled.bn.train()
    torch.testing.assert_close(shuffled(x), normalized * delta.roll(1, 0)[:, :, None, None])


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
    plug(host, [dict(entry, cfg=dict(cfg, gate=dict(type='shuffled_images')))])
