"""SRM, GCT, FCA, SEM and SGE: formulas in float64, counts, starts, bad input."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import MODELS

from tests.layers.build_channel import MAPS, build, random_map
from tests.layers.check import scramble


@pytest.mark.parametrize('height, width', MAPS)
def test_sem_is_its_formula(height, width):
    layer = build(type='SEM', in_channels=8, reduction=2)
    fc, conv, enhance = layer.excitation.excitations
    x = random_map(3, 8, height, width)
    for n in range(3):
        m = x[n].sum((1, 2)) / (height * width)
        switch = torch.sigmoid(layer.excitation.switch.weight @ m + layer.excitation.switch.bias)
        logits = [
            fc.fc2.weight @ (fc.fc1.weight @ m + fc.fc1.bias).clamp(min=0) + fc.fc2.bias,
            torch.stack([conv.conv.weight[0, 0] @ F.pad(m, (1, 1))[c : c + 3] for c in range(8)]),
            enhance.weight * m + enhance.bias,
        ]
        gate = torch.ones(8, dtype=torch.float64)
        for weight, logit in zip(switch, logits, strict=True):
            gate = gate / (1 + torch.exp(-weight * logit))
        torch.testing.assert_close(layer(x)[n], x[n] * gate[:, None, None])


def test_sem_takes_any_list():
    layer = build(type='SEM', in_channels=8, excitations=['identity'])
    x = random_map(2, 8, 3, 4)
    z = x.mean((2, 3))
    weight = torch.sigmoid(z @ layer.excitation.switch.weight.T + layer.excitation.switch.bias)
    torch.testing.assert_close(layer(x), x * torch.sigmoid(weight * z)[:, :, None, None])


@pytest.mark.parametrize('variant', ['code', 'paper'])
@pytest.mark.parametrize('height, width', MAPS)
def test_srm_is_its_formula(variant, height, width):
    layer = build(type='SRM', in_channels=4, variant=variant)
    x = random_map(3, 4, height, width)
    count = max(height * width - (variant == 'code'), 1)
    mean = x.mean((2, 3))
    std = ((x - mean[:, :, None, None]).square().sum((2, 3)) / count + 1e-5).sqrt()
    style = layer.excitation
    z = mean * style.weight[:, 0] + std * style.weight[:, 1]
    z = (z - style.norm.running_mean) / (style.norm.running_var + 1e-5).sqrt()
    gate = torch.sigmoid(z * style.norm.weight + style.norm.bias)
    torch.testing.assert_close(layer(x), x * gate[:, :, None, None])


@pytest.mark.parametrize('variant', ['code', 'paper'])
@pytest.mark.parametrize('height, width', MAPS)
def test_sge_is_its_formula(variant, height, width):
    layer = build(type='SGE', in_channels=6, groups=3, variant=variant)
    x = random_map(2, 6, height, width)
    expected = torch.empty_like(x)
    for n, g in itertools.product(range(2), range(3)):
        group = x[n, 2 * g : 2 * g + 2]
        t = (group * group.mean((1, 2), keepdim=True)).sum(0)
        count = max(height * width - (variant == 'code'), 1)
        t = t - t.mean()
        t = t / ((t.square().sum() / count).sqrt() + 1e-5)
        expected[n, 2 * g : 2 * g + 2] = group * torch.sigmoid(layer.weight[g] * t + layer.bias[g])
    torch.testing.assert_close(layer(x), expected)


def test_a_constant_map_has_finite_gradients():
    for cfg in (dict(type='SGE', groups=2), dict(type='SRM'), dict(type='GCT'), dict(type='GCT', mode='l1')):
        for height, width in ((1, 1), (3, 4)):
            layer = build(**cfg, in_channels=4)
            x = torch.zeros(2, 4, height, width, dtype=torch.float64, requires_grad=True)
            layer(x).sum().backward()
            assert torch.isfinite(x.grad).all(), cfg
            assert all(torch.isfinite(p.grad).all() for p in layer.parameters()), cfg


@pytest.mark.parametrize(
    'cfg, count',
    [
        (dict(type='SRM', in_channels=64), 4 * 64),
        (dict(type='GCT', in_channels=64), 3 * 64),
        (dict(type='FCA', in_channels=256), 2 * 256 * 16),
        (dict(type='SEM', in_channels=64), 64 * 64 // 8 + 64 // 16 + 6 * 64 + 3 + 3),
        (dict(type='SEM', in_channels=256), 256 * 256 // 8 + 256 // 16 + 6 * 256 + 3 + 5),
        (dict(type='SGE', in_channels=256), 2 * 64),
        (dict(type='GE', in_channels=64), 0),
        (dict(type='GE', in_channels=64, extent=8, mode='theta'), 3 * 11 * 64),
        (dict(type='GE', in_channels=64, extent=8, mode='theta', bias=True), 3 * 12 * 64),
        (dict(type='GE', in_channels=64, mode='theta', spatial_size=7), 64 * 49 + 2 * 64),
        (dict(type='GE', in_channels=64, mode='theta', spatial_size=7, bias=True), 64 * 49 + 3 * 64),
        (
            dict(type='GE', in_channels=64, mode='theta_plus', spatial_size=7),
            64 * 49 + 2 * 64 + 2 * 64 * 4 + 4 + 64,
        ),
    ],
)
def test_parameter_counts_are_the_papers(cfg, count):
    layer = MODELS.build(dict(cfg, type='attn_plugins.' + cfg['type']))
    assert sum(p.numel() for p in layer.parameters()) == count


@pytest.mark.parametrize(
    'cfg, gate',
    [
        (dict(type='SRM'), 0.5),
        (dict(type='GCT'), 1),
        (dict(type='GCT', mode='l1'), 1),
        (dict(type='SGE', groups=4), 1 / (1 + math.exp(-1))),
    ],
)
def test_starts_are_as_published(cfg, gate):
    layer = MODELS.build(dict(cfg, type='attn_plugins.' + cfg['type'], in_channels=8))
    scramble(layer)
    layer.init_weights()
    x = torch.randn(2, 8, 5, 7)
    torch.testing.assert_close(layer(x), x * gate)


@pytest.mark.parametrize(
    'cfg, message',
    [
        (dict(type='SRM', variant='codes'), "variant='codes' must be 'code' or 'paper'"),
        (dict(type='SGE', groups=6), 'groups=6 does not divide in_channels=32: try 4 or 8'),
        (dict(type='SGE'), 'groups=64 does not divide in_channels=32: try 16 or 32'),
        (dict(type='SGE', groups=0), 'groups=0 does not divide in_channels=32: try 1 or 2'),
        (dict(type='GCT', mode='l3'), "mode='l3' must be 'l1' or 'l2'"),
        (dict(type='FCA', frequencies='top7'), '7 frequencies do not divide in_channels=32, 4 would'),
        (dict(type='FCA', frequencies='tob8'), "frequencies='tob8' must be top, low or bot .* did you mean"),
        (dict(type='FCA', frequencies='low33'), "frequencies='low33' must be top, low or bot"),
        (dict(type='FCA', frequencies=[(0, 7)]), 'must be pairs of indices from 0 to 6'),
        (dict(type='FCA', frequencies=[]), 'must be pairs of indices'),
        (dict(type='FCA', dct_size=5), 'dct_size=5 must be one or two sizes of at least 7'),
        (dict(type='FCA', reduction=64), 'reduction=64 leaves 0 hidden channels for in_channels=32'),
        (dict(type='SEM', excitations=[]), r'excitations=\[\] of a switch must be a list'),
        (dict(type='SEM', excitations=['switch']), 'a switch cannot hold another switch'),
        (dict(type='SEM', excitations=['fcc']), "no excitation of type 'fcc': did you mean fc"),
        (dict(type='GE', extent=3), "extent=3 must be 2, 4, 8 or 'global'"),
        (dict(type='GE', mode='plus'), "mode='plus' must be one of theta_minus, theta, theta_plus"),
        (dict(type='GE', mode='theta'), "extent='global' with mode='theta' needs spatial_size"),
        (dict(type='GE', extent=2, spatial_size=7), 'spatial_size=7 has no use with extent=2'),
        (dict(type='GE', mode='theta', spatial_size=(7, 0)), r'spatial_size=\(7, 0\) must be'),
        (dict(type='ChannelAttention', squeeze=['mean', 'mean_std']), r'gives \[1, 2\] values per channel'),
        (dict(type='ChannelAttention', squeeze=dict(type='stack', squeezes=['mean'])), 'at least two'),
        (dict(type='ChannelAttention', excitation=dict(type='normalized_scale', p=3)), 'p=3 must be 1 or 2'),
    ],
)
def test_options_that_cannot_work_are_refused(cfg, message):
    with pytest.raises(ValueError, match=message):
        MODELS.build(dict(cfg, type='attn_plugins.' + cfg['type'], in_channels=32))


SIZES = dict(out_channels=8, kernel_size=3, padding=1)


@pytest.mark.parametrize(
    'cfg', [dict(type='SRM'), dict(type='BAM', reduction=2), dict(type='SKConv', **SIZES)]
)
def test_a_batch_of_one_cannot_be_trained(cfg):
    layer = MODELS.build(dict(cfg, type='attn_plugins.' + cfg['type'], in_channels=8))
    x = torch.randn(1, 8, 5, 7)
    with pytest.raises(
        ValueError, match=r'with one sample, and is given \(1, .*train with at least 2 samples'
    ):
        layer(x)
    assert layer.eval()(x).shape == x.shape
