"""Squeezes, excitations and gates: formulas in float64, and every combination of them."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import MODELS

from attn_plugins.layers.channel import dct
from attn_plugins.ops.dct import dct_factors, fit_bases, grouped_dct, grouped_dct_as_published, pool_matrix
from attn_plugins.registry import EXCITATIONS, GATES, SQUEEZES
from tests.layers.build_channel import MAPS, build, random_map
from tests.layers.check import scramble


@pytest.mark.parametrize('height, width', MAPS)
def test_squeezes_are_their_formulas(height, width):
    x = random_map(2, 4, height, width)
    places = x.flatten(2)
    mean = places.sum(2) / (height * width)
    squares = (places - mean[:, :, None]).square().sum(2)
    expected = {
        'l1': places.abs().sum(2),
        'l2': (places.square().sum(2) + 1e-5).sqrt(),
        'std': (squares / max(height * width - 1, 1) + 1e-5).sqrt(),
    }
    for name, value in expected.items():
        torch.testing.assert_close(SQUEEZES.build(dict(type=name, in_channels=4))(x), value)
    biased = (squares / (height * width) + 1e-3).sqrt()
    both = SQUEEZES.build(dict(type='mean_std', in_channels=4, unbiased=False, eps=1e-3))(x)
    torch.testing.assert_close(both, torch.stack([mean, biased], 2))
    stack = SQUEEZES.build(dict(type='stack', in_channels=4, squeezes=['l1', 'mean_std', 'max']))
    assert stack.features == 4
    expected = torch.stack([expected['l1'], mean, expected['std'], places.max(2)[0]], 2)
    torch.testing.assert_close(stack(x), expected)


@pytest.mark.parametrize('height, width', MAPS)
def test_strips_gate_rows_and_columns(height, width):
    """Row h of channel c is multiplied by the gate of its own mean, and so is column w."""
    layer = build(type='ChannelAttention', in_channels=6, squeeze='strips', excitation='instance_enhance')
    excitation = layer.excitation
    x = random_map(2, 6, height, width)
    rows, columns = x.sum(3) / width, x.sum(2) / height
    gates = [
        1 / (1 + torch.exp(-(excitation.weight[:, None] * strip + excitation.bias[:, None])))
        for strip in (rows, columns)
    ]
    torch.testing.assert_close(layer(x), x * gates[0][..., None] * gates[1][:, :, None])


@pytest.mark.parametrize('squeeze', [['strips', 'mean'], dict(type='stack', squeezes=['max', 'strips'])])
def test_strips_stand_alone(squeeze):
    with pytest.raises(ValueError, match="'strips' gives a descriptor per row and column and stands alone"):
        MODELS.build(dict(type='attn_plugins.ChannelAttention', in_channels=32, squeeze=squeeze))


def test_norms_of_half_precision_do_not_overflow():
    x = torch.full((1, 2, 64, 64), 300.0, dtype=torch.float16)
    for name, expected in (('l1', 300.0 * 4096), ('l2', 300.0 * 64)):
        z = SQUEEZES.build(dict(type=name, in_channels=2))(x)
        assert z.dtype == torch.float32
        torch.testing.assert_close(z, torch.full((1, 2), expected))
    layer = MODELS.build(dict(type='attn_plugins.GCT', in_channels=2)).half()
    assert torch.equal(layer(x), x)


def test_the_dct_is_orthonormal():
    bases = dct_factors(list(range(9)), 9)
    torch.testing.assert_close(bases @ bases.T, torch.eye(9, dtype=torch.float64))


@pytest.mark.parametrize('inputs, outputs', list(itertools.product([1, 2, 5, 7, 16, 33], repeat=2)))
def test_pool_matrix_is_adaptive_average_pooling(inputs, outputs):
    x = random_map(3, 1, inputs)
    expected = F.adaptive_avg_pool1d(x, outputs)
    torch.testing.assert_close(x @ pool_matrix(outputs, inputs, x).T, expected)


@pytest.mark.parametrize('height, width', MAPS)
def test_folded_pooling_equals_pooling_the_map(height, width):
    rows, columns = dct_factors([0, 3, 6, 1], 7), dct_factors([0, 2, 4, 6], 14)
    x = random_map(2, 8, height, width).requires_grad_()
    ours, theirs = grouped_dct(x, rows, columns), grouped_dct_as_published(x, rows, columns)
    torch.testing.assert_close(ours, theirs)
    dz = random_map(2, 8)
    for first, second in zip(*(torch.autograd.grad(z, x, dz) for z in (ours, theirs)), strict=True):
        torch.testing.assert_close(first, second)


def test_bases_of_the_maps_size_are_taken_as_they_are():
    rows = dct_factors([0, 1], 7)
    assert fit_bases(rows, 7) is rows


@pytest.mark.parametrize('height, width', MAPS)
def test_fca_is_its_formula(height, width):
    layer = build(type='FCA', in_channels=8, reduction=2, dct_size=(14, 7), frequencies=[(0, 0), (3, 5)])
    x = random_map(2, 8, height, width)
    pooled = F.adaptive_avg_pool2d(x, (14, 7))
    z = torch.zeros(2, 8, dtype=torch.float64)
    for c, h, w in itertools.product(range(8), range(14), range(7)):
        u, v = [(0, 0), (6, 5)][c // 4]
        basis = math.cos(math.pi * u * (h + 0.5) / 14) * math.cos(math.pi * v * (w + 0.5) / 7)
        basis *= (2 if u else 1) ** 0.5 * (2 if v else 1) ** 0.5 / math.sqrt(14 * 7)
        z[:, c] += pooled[:, c, h, w] * basis
    first, second = layer.excitation.fc1.weight, layer.excitation.fc2.weight
    expected = x * torch.sigmoid((z @ first.T).relu() @ second.T)[:, :, None, None]
    torch.testing.assert_close(layer(x), expected, rtol=1e-6, atol=1e-6)  # the bases are float32


def test_the_lowest_frequency_is_the_mean():
    squeeze = SQUEEZES.build(dict(type='dct', in_channels=8, frequencies='low1', dct_size=9))
    x = torch.randn(2, 8, 9, 9)
    torch.testing.assert_close(squeeze(x), 9 * x.mean((2, 3)))


@pytest.mark.parametrize('ranking', ['top', 'low', 'bot'])
def test_rankings_hold_32_frequencies_each_once(ranking):
    pairs = dct.frequency_pairs(f'{ranking}32', 64)
    assert len(set(pairs)) == 32 and all(0 <= i < 7 for pair in pairs for i in pair)
    assert dct.frequency_pairs(f'{ranking}4', 64) == pairs[:4]


def test_the_bases_are_not_saved():
    layer = MODELS.build(dict(type='attn_plugins.FCA', in_channels=32, dct_size=56))
    assert set(layer.state_dict()) == {'excitation.fc1.weight', 'excitation.fc2.weight'}
    assert layer.official_constants()['dct_layer.weight'].shape == (32, 56, 56)


def test_excitations_are_their_formulas():
    descriptor = random_map(3, 8)
    several = random_map(3, 8, 2)
    parts = {}
    for name, options in {
        'fc': dict(reduction=2, features=2),
        'conv1d': dict(kernel_size=3, features=2),
        'style': dict(features=2),
        'instance_enhance': {},
        'normalized_scale': dict(p=1),
        'identity': {},
    }.items():
        torch.manual_seed(0)
        parts[name] = EXCITATIONS.build(dict(type=name, in_channels=8, **options)).double().eval()
        scramble(parts[name])
    fc = parts['fc']
    hidden = (several.reshape(3, 16) @ fc.fc1.weight.T + fc.fc1.bias).relu()
    torch.testing.assert_close(fc(several), hidden @ fc.fc2.weight.T + fc.fc2.bias)
    kernel = parts['conv1d'].conv.weight[0]  # (2, 3)
    padded = F.pad(several, (0, 0, 1, 1))
    expected = sum(padded[:, i : i + 8] @ kernel[:, i] for i in range(3))
    torch.testing.assert_close(parts['conv1d'](several), expected)
    style = parts['style']
    z = (several * style.weight).sum(2)
    z = (z - style.norm.running_mean) / (style.norm.running_var + style.norm.eps).sqrt()
    torch.testing.assert_close(style(several), z * style.norm.weight + style.norm.bias)
    enhance = parts['instance_enhance']
    torch.testing.assert_close(enhance(descriptor), descriptor * enhance.weight + enhance.bias)
    scale = parts['normalized_scale']
    s = descriptor * scale.alpha
    s = s * scale.gamma / (s.abs().mean(1, keepdim=True) + 1e-5)
    torch.testing.assert_close(scale(descriptor), s + scale.beta)
    assert torch.equal(parts['identity'](descriptor), descriptor)


def test_gates_are_their_formulas():
    logits = random_map(3, 8)
    gate = GATES.build(dict(type='one_plus_tanh'))(logits)
    torch.testing.assert_close(gate, 2 / (1 + (-2 * logits).exp()))
    gate = GATES.build(dict(type='softmax'))(logits)
    torch.testing.assert_close(gate, logits.exp() / logits.exp().sum(1, keepdim=True))


PARTS = list(
    itertools.product(
        ['mean', 'max', 'std', 'mean_std', 'l1', 'l2', 'dct', 'stack', 'strips'],
        ['fc', 'conv1d', 'style', 'instance_enhance', 'normalized_scale', 'identity', 'lstm', 'switch'],
        ['sigmoid', 'hard_sigmoid', 'one_plus_tanh', 'softmax', 'identity'],
    )
)
ONE_VALUE = {'instance_enhance', 'normalized_scale', 'identity'}


@pytest.mark.parametrize('squeeze, excitation, gate', PARTS)
def test_every_combination_works_or_says_why_not(squeeze, excitation, gate):
    cfg = dict(type='attn_plugins.ChannelAttention', in_channels=16, squeeze=squeeze, gate=gate)
    cfg['excitation'] = excitation
    if excitation == 'switch':
        cfg['excitation'] = dict(type='switch', excitations=['fc', 'conv1d'])
    if squeeze in ('mean_std', 'stack') and excitation in ONE_VALUE:
        message = (
            f"gives 2 values per channel but the excitation '{excitation}' reads one: choose from conv1d, fc"
        )
        with pytest.raises(ValueError, match=message):
            MODELS.build(cfg)
        return
    layer = MODELS.build(cfg).eval()
    x = torch.randn(2, 16, 5, 3)
    y = layer(x)
    assert y.shape == x.shape
    ratio = y / x
    corner, row, column = ratio[:, :, :1, :1], ratio[:, :, :1], ratio[:, :, :, :1]
    if squeeze == 'strips':  # a gate per row times a gate per column
        torch.testing.assert_close(ratio * corner, row * column, rtol=1e-4, atol=1e-6)
    else:  # one gate
        torch.testing.assert_close(ratio, corner.expand_as(ratio), rtol=1e-4, atol=1e-6)
