"""Hosts for 32 x 32 images: the parameters that the studies print, shapes, places, what cannot be."""

from pathlib import Path

import pytest
import torch
from scipy import stats

from attn_plugins import inserted_layers, plug
from attn_plugins.errors import UserError
from attn_plugins.models.backbones.cifar_resnet import CifarResNet
from attn_plugins.models.backbones.nin import NIN
from attn_plugins.models.backbones.preact_resnet import PreResNet, WideResNet
from attn_plugins.training.config import load_config
from attn_plugins.training.library import build_model
from tests.layers.starts import assert_drawn_from, kaiming, plain_norm

BOTTLENECK = dict(depth=164, block='bottleneck')
RESNEXT = dict(depth=101, block='bottleneck', base_channels=32, groups=8, width_per_group=32)


def counted(host: torch.nn.Module, channels: int, classes: int) -> int:
    """Parameters with a linear classifier."""
    return sum(p.numel() for p in host.parameters()) + (channels + 1) * classes


@pytest.mark.parametrize(
    'kind, options, channels, classes, expected',
    [
        (CifarResNet, dict(depth=20), 64, 10, 272_474),
        (CifarResNet, dict(depth=56), 64, 10, 855_770),
        (CifarResNet, dict(depth=110), 64, 10, 1_730_714),
        (CifarResNet, BOTTLENECK, 256, 100, 1_727_284),
        (CifarResNet, BOTTLENECK, 256, 10, 1_704_154),
        (CifarResNet, RESNEXT, 512, 100, 32_138_244),
        (PreResNet, dict(depth=164), 256, 100, 1_726_388),
        (WideResNet, dict(depth=16), 64, 10, 175_066),
        (WideResNet, dict(depth=16, widen_factor=2), 128, 10, 691_674),
        (WideResNet, dict(depth=40), 64, 10, 563_930),
        (WideResNet, dict(depth=40, widen_factor=2), 128, 10, 2_243_546),
        (WideResNet, dict(depth=52, widen_factor=4), 256, 100, 12_072_500),
        (WideResNet, dict(depth=52, widen_factor=4), 256, 10, 12_049_370),
        (NIN, dict(), 192, 10, 968_394),
        (NIN, dict(widen_factor=0.5), 96, 10, 246_890),
        # A bias for the two values of a norm of each of its 704 channels.
        (NIN, dict(widen_factor=0.5, norm_cfg=None), 96, 10, 246_890 - 704),
    ],
)
def test_parameters_are_the_printed_ones(kind, options, channels, classes, expected):
    """ResNet20's 272,474: the 270 k of He et al., with projections at the two strided shortcuts."""
    with torch.device('meta'):
        host = kind(**options)
    assert counted(host, channels, classes) == expected


def layer(kind: str, **options) -> dict:
    return dict(cfg=dict(type=f'attn_plugins.{kind}', **options))


@pytest.mark.parametrize(
    'kind, options, channels, entry, printed',
    [
        (CifarResNet, BOTTLENECK, 256, dict(layer('IEBN'), norm='main'), '1.751508'),
        (CifarResNet, BOTTLENECK, 256, dict(layer('IEBN'), norm='all'), '1.752404'),
        (CifarResNet, BOTTLENECK, 256, dict(layer('SE'), position='after_conv3'), '1.929'),
        (CifarResNet, BOTTLENECK, 256, dict(layer('SEM'), position='after_conv3'), '1.970'),
        (CifarResNet, BOTTLENECK, 256, dict(layer('DIA'), position='after_conv3', share='stage'), '1.946'),
        (
            PreResNet,
            dict(depth=164, extra_norm=True),
            256,
            dict(layer('DIA'), position='after_conv3', share='stage'),
            '1.96',
        ),
        (PreResNet, dict(depth=164), 256, dict(layer('SE', bias=False), position='after_conv3'), '1.92'),
        (
            WideResNet,
            dict(depth=52, widen_factor=4, extra_norm=True),
            256,
            dict(layer('DIA'), position='after_conv2', share='stage'),
            '12.30',
        ),
        (
            WideResNet,
            dict(depth=52, widen_factor=4),
            256,
            dict(layer('SE', reduction=4, bias=False), position='after_conv2'),
            '12.42',
        ),
        (CifarResNet, RESNEXT, 512, dict(layer('DIA'), position='after_conv3', share='stage'), '33.01'),
        (
            CifarResNet,
            RESNEXT,
            512,
            dict(layer('SE', reduction=4, bias=False), position='after_conv3'),
            '34.03',
        ),
    ],
)
def test_parameters_with_a_layer_are_the_printed_ones(kind, options, channels, entry, printed):
    """modules.md 7.4; DIANet's table 2, whose SE has r = 16 or 4, with biases or without: what fits its print."""
    host = plug(kind(**options), [entry])
    digits = len(printed.partition('.')[2])
    assert f'{counted(host, channels, 100) / 1e6:.{digits}f}' == printed


@pytest.mark.parametrize(
    'host, channels',
    [
        (CifarResNet(8, widen_factor=0.5), (8, 16, 32)),
        (CifarResNet(11, 'bottleneck'), (64, 128, 256)),
        (CifarResNet(11, 'bottleneck', 16, groups=4, width_per_group=8), (64, 128, 256)),
        (PreResNet(11), (64, 128, 256)),
        (PreResNet(11, extra_norm=True), (64, 128, 256)),
        (WideResNet(10, 2, dropout=0.3), (32, 64, 128)),
    ],
)
def test_stages_of_an_image(host, channels):
    host.out_indices = (0, 1, 2)
    maps = host.eval()(torch.randn(2, 3, 32, 24))
    assert [tuple(y.shape[1:]) for y in maps] == [
        (width, 32 // 2**i, 24 // 2**i) for i, width in enumerate(channels)
    ]


def test_nin():
    host = NIN(0.25, out_indices=(0, 1, 2)).eval()
    assert [tuple(y.shape[1:]) for y in host(torch.randn(1, 3, 32, 32))] == [
        (24, 16, 16), (48, 8, 8), (48, 8, 8)
    ]  # fmt: skip


def test_a_preact_block_is_its_equation():
    """conv(relu(norm(...))) three times, on x; the projection reads x itself, a wide block's the activated x."""
    torch.manual_seed(0)
    x = torch.randn(2, 16, 6, 6)
    block = PreResNet(11, extra_norm=True).layer1[0].eval()
    y = x
    for norm, conv in ((block.bn1, block.conv1), (block.bn2, block.conv2), (block.bn3, block.conv3)):
        y = conv(norm(y).relu())
    torch.testing.assert_close(block(x), block.bn4(y) + block.downsample(x))
    wide = WideResNet(10, 2).layer1[0].eval()
    activated = wide.bn1(x).relu()
    branch = wide.conv2(wide.bn2(wide.conv1(activated)).relu())
    torch.testing.assert_close(wide(x), branch + wide.downsample(activated))


def test_dropout_is_between_the_convolutions_of_a_wide_block():
    torch.manual_seed(0)
    host = WideResNet(10, dropout=0.5)
    seen = []
    host.layer1[0].conv2.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    host(torch.randn(2, 3, 8, 8))
    host.eval()(torch.randn(2, 3, 8, 8))
    zero = [float((x == 0).float().mean()) for x in seen]
    assert zero[0] > 0.65 and zero[1] < 0.65  # half of them by ReLU


def test_the_last_map_is_normalised_and_the_stages_hand_on_sums():
    host = PreResNet(11, out_indices=(1, 2)).eval()
    second, third = host(torch.randn(2, 3, 16, 16))
    assert second.min() < 0 <= third.min()
    torch.testing.assert_close(third, host.final.bn(host.layer3(second)).relu())


@pytest.mark.parametrize(
    'kind, options, message',
    [
        (
            CifarResNet,
            dict(depth=21),
            r'no depth=21: blocks of 2 convolutions give depths 6 n \+ 2, as 20 and 26',
        ),
        (CifarResNet, dict(depth=3), 'as 8 and 14'),
        (CifarResNet, dict(depth=20, block='wide'), "no block='wide': choose from basic, bottleneck"),
        (CifarResNet, dict(depth=20, groups=8), "groups in bottlenecks only: add block='bottleneck'"),
        (PreResNet, dict(depth=163), r'depths 9 n \+ 2, as 155 and 164'),
        (WideResNet, dict(depth=28 + 1), r'depths 6 n \+ 4, as 28 and 34'),
        (
            CifarResNet,
            dict(depth=8, out_indices=(3,)),
            r'no stage 3 for out_indices: choose from 0 \(layer1\)',
        ),
    ],
)
def test_what_cannot_be_is_said(kind, options, message):
    with pytest.raises(UserError, match=message):
        kind(**options)


@pytest.mark.parametrize('host', [CifarResNet(8), PreResNet(11), WideResNet(10), NIN(0.1)])
def test_other_norms_and_gradients(host):
    grouped = type(host)(
        **{'depth': {CifarResNet: 8, PreResNet: 11, WideResNet: 10}[type(host)]}
        if type(host) is not NIN
        else {},
        norm_cfg=dict(type='GN', num_groups=1),
    )
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in grouped.modules())
    grouped(torch.randn(2, 3, 32, 32))[0].mean().backward()
    assert all(p.grad is not None for p in grouped.parameters())


def test_the_start_is_the_authors():
    """Convolutions N(0, 2 / (k^2 * out_channels)); norms 1 and 0. gbup-group/IEBN: models/cifar/iebn_resnet.py."""

    def started() -> torch.nn.Module:
        host = CifarResNet(11, 'bottleneck', base_channels=64)
        for parameter in host.parameters():
            torch.nn.init.constant_(parameter, 7)
        host.init_weights()
        return host.layer3[0]

    block, start = started(), {}
    for name in ('conv1', 'conv2', 'conv3', 'downsample'):
        conv = getattr(block, name).conv
        start |= {f'{name}.conv.weight': kaiming(conv.kernel_size[0] ** 2 * conv.out_channels)}
        start |= plain_norm(f'{name}.bn')
    assert_drawn_from(started, start, most=4)


def test_the_start_of_attention_transfer_is_its_authors():
    """Convolutions and linear N(0, 2 / inputs), scales U(0, 1), the rest 0. szagoruyko/attention-transfer: utils.py,
    893df54.
    """
    leaf = Path(__file__).parents[3] / 'configs' / 'wideresnet' / 'wrn16-2_1xb128-200e_cifar10.py'
    cfg = load_config(leaf, attention='none')

    def started() -> torch.nn.Module:
        model = build_model(cfg)
        for parameter in model.parameters():
            torch.nn.init.constant_(parameter, 7)
        model.init_weights()
        return torch.nn.ModuleDict(dict(block=model.backbone.layer3[0], head=model.head))

    start = {'head.fc.weight': kaiming(128), 'head.fc.bias': 0}
    for name, inputs in (('conv1', 9 * 64), ('conv2', 9 * 128), ('downsample.0', 64)):
        start[f'block.{name}.weight'] = kaiming(inputs)
    for name in ('bn1', 'bn2'):
        start |= {f'block.{name}.weight': stats.uniform(0, 1), f'block.{name}.bias': 0}
    assert_drawn_from(started, start, most=10)


def test_layers_stand_behind_the_branch():
    """After the extra norm where a block has one; and the norms of the shortcut are not on the main path."""
    host = plug(PreResNet(11, extra_norm=True), [dict(layer('SE'), position='after_conv3')])
    assert list(inserted_layers(host)) == [f'layer{i}.0.bn4.attn_se' for i in (1, 2, 3)]
    host = plug(CifarResNet(8), [dict(layer('IEBN'), norm='main')])
    assert not any('downsample' in name for name in inserted_layers(host)) and len(inserted_layers(host)) == 7
