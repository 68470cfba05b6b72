"""The convolutions: the layer contract for what changes channels and size, and formulas written out in float64."""

import copy

import pytest
import torch
from mmcv.cnn import ConvModule, build_conv_layer
from mmcv.cnn.utils import fuse_conv_bn
from mmengine.registry import MODELS
from torch import nn
from torch.nn import functional

from attn_plugins import layers
from tests.layers import check
from tests.layers.examples import CONVS, examples_of

SIZES = dict(out_channels=12, kernel_size=3, padding=1)
GEOMETRIES = [
    dict(kernel_size=3, padding=1),
    dict(kernel_size=3, stride=2, padding=1),
    dict(kernel_size=(5, 5), stride=(1, 3), padding=(2, 2)),
    dict(kernel_size=3, stride=2, padding=2, dilation=2),
]


def make(name: str, channels: int = 8, **sizes) -> nn.Module:
    """The convolution with random weights, built as a config builds it."""
    torch.manual_seed(0)
    layer = build_conv_layer(CONVS[name], channels, **{**SIZES, **sizes})
    check.scramble(layer)
    return layer


@pytest.mark.parametrize('name', CONVS)
@pytest.mark.parametrize('geometry', GEOMETRIES, ids=str)
def test_shapes_are_those_of_the_convolution_it_replaces(name, geometry):
    cfg = {**SIZES, **CONVS[name], **geometry}
    check.check_shapes(cfg, 8)
    check.check_channels_last(cfg, 8)


@pytest.mark.parametrize('name', CONVS)
def test_contract(name):
    check.check_layer({**SIZES, **CONVS[name]}, 8)


@pytest.mark.parametrize('name', CONVS)
def test_conv_module_takes_it(name):
    torch.manual_seed(0)
    cfg = {key: value for key, value in CONVS[name].items() if key not in ('bias', 'groups')}
    module = ConvModule(8, 12, 3, stride=2, padding=1, conv_cfg=cfg, norm_cfg=dict(type='BN'))
    assert (module.in_channels, module.out_channels, module.stride) == (8, 12, (2, 2))
    assert not module.transposed and module.conv.padding == (1, 1)
    check.scramble(module)
    x = torch.randn(2, 8, 5, 7)
    y = module.eval()(x)
    assert y.shape == (2, 12, 3, 4)
    torch.testing.assert_close(fuse_conv_bn(copy.deepcopy(module))(x), y, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('name', layers.conv.__all__)
def test_a_resnet_takes_it_in_place_of_its_3x3_convolutions(name):
    mmdet = pytest.importorskip('mmdet.models')
    options = dict(depth=50, num_stages=1, strides=(1,), dilations=(1,), out_indices=(0,), base_channels=16)
    host = mmdet.ResNet(**options, dcn=dict(type=f'attn_plugins.{name}'), stage_with_dcn=(True,))
    torch.manual_seed(0)
    host.init_weights()
    layer = host.layer1[0].conv2
    assert type(layer).__name__ == name
    twin = copy.deepcopy(layer)
    twin.init_weights()
    for (key, value), again in zip(layer.named_parameters(), twin.parameters(), strict=True):
        if value.numel() > 100:
            assert abs(value.std() / again.std() - 1) < 0.3, f'the host overwrote {key}'
    assert host(torch.randn(2, 3, 32, 32))[0].shape == (2, 64, 8, 8)


def batch_norm(x: torch.Tensor, norm: nn.Module) -> torch.Tensor:
    """A batch norm in evaluation over axis 1, written out."""
    shape = (-1, *[1] * (x.dim() - 2))
    scaled = (x - norm.running_mean.view(shape)) / (norm.running_var.view(shape) + norm.eps) ** 0.5
    return scaled * norm.weight.view(shape) + norm.bias.view(shape)


@pytest.mark.parametrize('stride', [1, 2])
@pytest.mark.parametrize('name', examples_of('SKConv'))
def test_sk_equals_an_independent_formula(name, stride):
    layer = make(name, stride=stride).double().eval()
    x = torch.randn(2, 8, 6, 7, dtype=torch.float64)
    maps = []
    for reach, branch in enumerate(layer.branches, 1):
        conv = functional.conv2d(x, branch.conv.weight, branch.conv.bias, stride, reach, reach, layer.groups)
        maps.append(batch_norm(conv, branch.norm).clamp(min=0))
    descriptor = torch.stack(maps).sum(0).mean((2, 3))
    hidden = batch_norm(descriptor @ layer.fc1.weight.T, layer.norm).clamp(min=0)
    logits = [hidden @ rows.T for rows in layer.fc2.weight.split(12)]
    total = sum(torch.exp(logit) for logit in logits)
    expected = sum(
        (torch.exp(logit) / total)[:, :, None, None] * u for logit, u in zip(logits, maps, strict=True)
    )
    torch.testing.assert_close(layer(x), expected)


def test_sk_starts_as_the_authors_description():
    """Caffe's msra filler takes the inputs of one group, 8 * 9 here; both layers of the choice are N(0, 0.01^2)."""
    torch.manual_seed(0)
    cfg = dict(type='attn_plugins.SKConv', in_channels=256, out_channels=256, kernel_size=3, groups=32)
    layer = MODELS.build(dict(cfg, padding=1, bias=True))
    check.scramble(layer)
    layer.init_weights()
    deviations = {branch.conv.weight: (2 / 72) ** 0.5 for branch in layer.branches}
    deviations |= {layer.fc1.weight: 0.01, layer.fc2.weight: 0.01}
    for weight, std in deviations.items():
        assert weight.numel() >= 8192  # so the measured deviation is within 1 % of the true one
        assert abs(weight.std().item() / std - 1) < 0.03 and abs(weight.mean().item()) < 0.05 * std
    assert not any(branch.conv.bias.any() for branch in layer.branches)


@pytest.mark.parametrize('channels', [128, 256, 512])
def test_sks_choice_starts_near_even(channels):
    """d = 32 rectified unit normals through N(0, 0.01^2): logits of deviation 0.01 sqrt(32 / 2) = 0.04."""
    torch.manual_seed(0)
    cfg = dict(type='attn_plugins.SKConv', in_channels=channels, out_channels=channels, kernel_size=3)
    layer = MODELS.build(dict(cfg, padding=1, groups=32))
    assert layer.fc1.out_features == 32
    logits = []
    layer.fc2.register_forward_hook(lambda _, __, y: logits.append(y))
    layer(torch.randn(16, channels, 5, 7))
    assert abs(logits[0].std().item() / 0.04 - 1) < 0.1
    weights = logits[0].unflatten(1, (2, channels)).softmax(1)
    assert weights.min() > 0.42 and weights.max() < 0.58


@pytest.mark.parametrize('stride', [1, 2])
@pytest.mark.parametrize('name', examples_of('AAConv'))
@pytest.mark.parametrize('size', [(1, 1), (3, 5), (6, 4)])
def test_aa_equals_a_double_loop_over_all_pairs(name, stride, size):
    """Maps within and beyond the tables (max_size 5 and 3), one logit at a time."""
    layer = make(name, stride=stride).double()
    heads, (keys, _, values) = layer.num_heads, layer.widths
    x = torch.randn(1, 8, *size, dtype=torch.float64)
    kqv = functional.conv2d(x, layer.kqv.weight, layer.kqv.bias)[0, :, ::stride, ::stride]
    height, width = kqv.shape[1:]
    places = [(y, z) for y in range(height) for z in range(width)]
    d, e, reach = keys // heads, values // heads, layer.relative_h.shape[0] // 2
    attended = torch.zeros(values, height, width, dtype=torch.float64)
    for head in range(heads):
        key, query = kqv[head * d :][:d], kqv[keys + head * d :][:d]
        value = kqv[2 * keys + head * e :][:e]
        for y, z in places:
            q = query[:, y, z] / d**0.5
            logits = []
            for v, w in places:
                row = layer.relative_h[min(max(v - y, -reach), reach) + reach]
                column = layer.relative_w[min(max(w - z, -reach), reach) + reach]
                logits.append(q @ key[:, v, w] + q @ row + q @ column)
            weights = torch.softmax(torch.stack(logits), 0)
            for weight, (v, w) in zip(weights, places, strict=True):
                attended[head * e : (head + 1) * e, y, z] += weight * value[:, v, w]
    mixed = functional.conv2d(attended[None], layer.proj.weight, layer.proj.bias)
    local = functional.conv2d(x, layer.conv.weight, layer.conv.bias, stride, 1)
    torch.testing.assert_close(layer(x), torch.cat([local, mixed], 1))


@pytest.mark.parametrize('geometry', GEOMETRIES, ids=str)
@pytest.mark.parametrize('name', examples_of('DynamicConv'))
def test_dynamic_equals_an_unfolded_neighbourhood(name, geometry):
    layer = make(name, **geometry).double()
    x = torch.randn(2, 8, 5, 6, dtype=torch.float64)
    value = functional.conv2d(x, layer.value.weight, layer.value.bias, groups=layer.groups)
    logits = functional.conv2d(x, layer.kernel.weight, layer.kernel.bias)
    logits = logits[:, :, :: layer.stride[0], :: layer.stride[1]]
    size, taps = logits.shape[2:], layer.kernel_size[0] ** 2
    weights = torch.softmax(logits.reshape(2, layer.weight_groups, taps, -1), 2)
    columns = functional.unfold(value, layer.kernel_size, layer.dilation, layer.padding, layer.stride)
    columns = columns.reshape(2, 12, taps, -1)
    expected = torch.empty(2, 12, columns.shape[-1], dtype=torch.float64)
    for channel in range(12):
        group = channel * layer.weight_groups // 12
        expected[:, channel] = (columns[:, channel] * weights[:, group]).sum(1)
    torch.testing.assert_close(layer(x), expected.reshape(2, 12, *size))


def test_uniform_kernels_make_dynamic_convolution_an_average():
    layer = make('DynamicConv(weight_groups=4)')
    for value in layer.kernel.parameters():
        nn.init.zeros_(value)
    x = torch.randn(1, 8, 5, 6)
    torch.testing.assert_close(layer(x), functional.avg_pool2d(layer.value(x), 3, 1, 1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    'cfg, formula',
    [
        (
            dict(type='SKConv', in_channels=128, out_channels=128, kernel_size=3, groups=32),
            2 * (9 * 128**2 // 32 + 2 * 128) + 128 * 32 + 2 * 32 + 2 * 128 * 32,
        ),
        (
            dict(type='SKConv', in_channels=1024, out_channels=1024, kernel_size=3, groups=32),
            2 * (9 * 1024**2 // 32 + 2 * 1024) + 1024 * 64 + 2 * 64 + 2 * 1024 * 64,
        ),
        (
            dict(
                type='AAConv',
                in_channels=64,
                out_channels=128,
                kernel_size=3,
                padding=1,
                key_channels=160,
                value_channels=16,
                max_size=14,
                bias=False,
            ),
            9 * 64 * 112 + 64 * (320 + 16) + 16**2 + (2 * 14 + 2 * 14 - 2) * 20,
        ),
        (
            dict(type='DynamicConv', in_channels=64, out_channels=128, kernel_size=3, padding=1),
            64 * 128 + 64 * 8 * 9 + 128 + 8 * 9,
        ),
    ],
)
def test_parameter_counts_follow_the_formula(cfg, formula):
    layer = MODELS.build(dict(cfg, type='attn_plugins.' + cfg['type']))
    assert sum(p.numel() for p in layer.parameters()) == formula


@pytest.mark.parametrize(
    'cfg, message',
    [
        (dict(type='SKConv', kernel_size=4), 'kernel_size=4 must be odd.*: try 5'),
        (dict(type='SKConv', kernel_size=(3, 5)), r'kernel_size=\(3, 5\) must be square: try 3'),
        (dict(type='SKConv', kernel_size=1), 'kernel_size=1 has no reach.*use 3'),
        (dict(type='SKConv', groups=3), 'groups=3 must divide in_channels=16 and out_channels=16'),
        (dict(type='SKConv', branches=1), 'branches=1 leaves nothing to select from'),
        (dict(type='SKConv', reduction=0), 'reduction=0 and min_channels=32 must be at least 1'),
        (dict(type='AAConv', padding=0), r'padding=\(0, 0\) does not keep the places.*use padding=\(1, 1\)'),
        (dict(type='AAConv', num_heads=0), 'num_heads=0 and max_size=32 must be at least 1'),
        (
            dict(type='AAConv', key_channels=20),
            'key_channels=20 must be a positive multiple of num_heads=8: try 16',
        ),
        (dict(type='AAConv', num_heads=16), 'value_channels=16 leaves 0 of out_channels=16'),
        (dict(type='AAConv', groups=16), 'groups=16 must divide the 8 channels that value_channels=8 leaves'),
        (dict(type='DynamicConv', padding=2), r'padding=\(2, 2\) does not keep.*use padding=\(1, 1\)'),
        (dict(type='DynamicConv', weight_groups=5), 'weight_groups=5 must divide out_channels=16: try 4'),
    ],
)
def test_options_that_cannot_work_are_refused(cfg, message):
    sizes = dict(in_channels=16, out_channels=16, kernel_size=3, padding=1)
    with pytest.raises(ValueError, match=message):
        MODELS.build({**sizes, **cfg, 'type': 'attn_plugins.' + cfg['type']})
