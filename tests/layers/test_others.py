"""BAM, SimAM, TripletAttention, GALA and GC beyond the golden cases: other options, formulas in float64, bad input."""

import pytest
import torch
from mmcv.cnn.bricks import ContextBlock
from mmengine.registry import MODELS

from attn_plugins import load_official
from tests.layers.check import build, scramble


def double(cfg: dict, channels: int = 8) -> torch.nn.Module:
    return build(dict(cfg, type='attn_plugins.' + cfg['type']), channels).double().eval()


def random_map(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def affine_norm(values: torch.Tensor, norm: torch.nn.Module) -> torch.Tensor:
    """A batch norm in evaluation, written out for (..., C) values."""
    scaled = (values - norm.running_mean) / (norm.running_var + norm.eps) ** 0.5
    return scaled * norm.weight + norm.bias


def linear(values: torch.Tensor, layer: torch.nn.Module) -> torch.Tensor:
    """A linear layer or 1x1 convolution, written out for (..., C) values."""
    return values @ layer.weight.flatten(1).T + layer.bias


def window_sums(x: torch.Tensor, conv: torch.nn.Conv2d) -> torch.Tensor:
    """A convolution with zero padding over (H, W, C), tap by tap; (H, W, C')."""
    height, width, _ = x.shape
    size, step = conv.kernel_size[0], conv.dilation[0]
    result = conv.bias.expand(height, width, -1).clone()
    for row in range(height):
        for column in range(width):
            for tap in range(size * size):
                y = row + (tap // size - size // 2) * step
                z = column + (tap % size - size // 2) * step
                if 0 <= y < height and 0 <= z < width:
                    result[row, column] += conv.weight[:, :, tap // size, tap % size] @ x[y, z]
    return result


@pytest.mark.parametrize('variant', ['code', 'paper'])
@pytest.mark.parametrize('interaction', ['both', 'additive', 'multiplicative'])
@pytest.mark.parametrize('size', [(1, 1), (3, 6)])
def test_gala_equals_an_independent_formula(interaction, size, variant):
    layer = double(dict(type='GALA', interaction=interaction, variant=variant))
    x = random_map(2, 8, *size)
    for sample, ours in zip(x, layer(x), strict=True):
        places = sample.permute(1, 2, 0)
        features = linear(places, layer.local_reduce).relu()
        vector = linear(linear(sample.mean((1, 2)), layer.fc1).relu(), layer.fc2)
        if variant == 'code':
            features, vector = window_sums(features, layer.local_conv).relu(), vector.relu()
        local = linear(features, layer.local_out)
        if interaction == 'additive':
            logits = local + vector
        elif interaction == 'multiplicative':
            logits = local * vector
        else:
            logits = layer.alpha * (local + vector) + layer.beta * local * vector
        gate = 1 / (1 + torch.exp(-logits)) if variant == 'code' else 2 / (1 + torch.exp(-2 * logits)) - 1
        torch.testing.assert_close(ours, (places * gate).permute(2, 0, 1))


def test_galas_default_is_what_the_authors_script_trains():
    layer = MODELS.build(dict(type='attn_plugins.GALA', in_channels=16))
    assert layer.code and layer.local_conv.kernel_size == (5, 5)


def test_galas_mixing_weights_start_with_unit_variance():
    torch.manual_seed(0)
    layer = MODELS.build(dict(type='attn_plugins.GALA', in_channels=4096))
    for value in (layer.alpha, layer.beta):
        assert abs(value.std().item() - 1) < 0.05 and value.abs().max() < 2 / 0.879
    assert abs(layer.local_reduce.weight.std().item() * 64 - 1) < 0.01


@pytest.mark.parametrize('variant', ['code', 'paper'])
def test_bam_equals_its_formula_on_a_map_that_is_not_square(variant):
    layer = double(dict(type='BAM', reduction=4, dilation=2, variant=variant))
    channel, spatial = layer.channel, layer.spatial
    x = random_map(1, 8, 3, 7)
    places = x[0].permute(1, 2, 0)
    vector = linear(affine_norm(linear(x[0].mean((1, 2)), channel.fc1), channel.norm).relu(), channel.fc2)
    features = affine_norm(linear(places, spatial.reduce), spatial.reduce_norm).relu()
    features = affine_norm(window_sums(features, spatial.conv1), spatial.norm1).relu()
    features = affine_norm(window_sums(features, spatial.conv2), spatial.norm2).relu()
    local = linear(features, spatial.out)
    logits = vector * local if variant == 'code' else vector + local
    torch.testing.assert_close(layer(x)[0], (places + places * torch.sigmoid(logits)).permute(2, 0, 1))


def test_bams_default_is_what_reproduces_the_published_numbers():
    assert MODELS.build(dict(type='attn_plugins.BAM', in_channels=32)).product


@pytest.mark.parametrize('pooling_type', ['att', 'avg'])
@pytest.mark.parametrize('fusion_types', [('channel_add',), ('channel_mul',), ('channel_add', 'channel_mul')])
def test_gc_equals_mmcvs_block_and_loads_its_weights(pooling_type, fusion_types):
    options = dict(ratio=0.5, pooling_type=pooling_type, fusion_types=fusion_types)
    theirs = ContextBlock(8, **options)
    scramble(theirs)
    ours = MODELS.build(dict(options, type='attn_plugins.GC', in_channels=8))
    load_official(ours, theirs.state_dict())
    for size in ((1, 1), (3, 7)):
        x = random_map(2, 8, *size)
        torch.testing.assert_close(ours.double()(x), theirs.double()(x), rtol=1e-10, atol=1e-10)


def test_gc_starts_as_the_identity():
    x = torch.randn(2, 32, 4, 5)
    assert torch.equal(MODELS.build(dict(type='attn_plugins.GC', in_channels=32))(x), x)
    gated = MODELS.build(dict(type='attn_plugins.GC', in_channels=32, fusion_types='channel_mul'))
    assert torch.equal(gated(x), x / 2)


def test_a_single_value_does_not_make_simam_nan():
    layer = double(dict(type='SimAM'))
    x = random_map(2, 8, 1, 1).requires_grad_()
    y = layer(x)
    torch.testing.assert_close(y, x * torch.sigmoid(torch.tensor(0.5, dtype=x.dtype)))
    y.sum().backward()
    assert torch.isfinite(x.grad).all()


def test_simam_does_not_overflow_in_half_precision():
    layer = double(dict(type='SimAM'))
    x = 1000 * random_map(1, 8, 6, 5)
    half = layer(x.half())
    assert half.dtype == torch.float16
    torch.testing.assert_close(half.double(), layer(x), rtol=2e-3, atol=1)


def test_simams_lambda_is_used():
    x = random_map(1, 8, 4, 5)
    square = (x - x.mean((2, 3), keepdim=True)) ** 2
    variance = square.sum((2, 3), keepdim=True) / 19
    expected = x * torch.sigmoid(square / (4 * (variance + 0.1)) + 0.5)
    torch.testing.assert_close(double(dict(type='SimAM', e_lambda=0.1))(x), expected)


def test_triplet_attention_rotates_the_axes():
    """Exchanging rows and columns exchanges the two channel gates and turns the kernels."""
    layer, turned = double(dict(type='TripletAttention')), double(dict(type='TripletAttention'))
    turned.gate_cw.load_state_dict(layer.gate_ch.state_dict())
    turned.gate_ch.load_state_dict(layer.gate_cw.state_dict())
    for gate in (turned.gate_cw, turned.gate_ch, turned.gate_hw):
        gate.conv.weight.data = gate.conv.weight.data.transpose(2, 3).contiguous()
    x = random_map(2, 8, 3, 6)
    torch.testing.assert_close(turned(x.transpose(2, 3)), layer(x).transpose(2, 3))


def test_triplets_channel_gates_start_with_a_norm_of_one():
    layer = MODELS.build(dict(type='attn_plugins.TripletAttention', in_channels=8))
    starts = [gate.norm.weight.item() for gate in (layer.gate_cw, layer.gate_ch, layer.gate_hw)]
    assert starts == [1, 1, 0]


@pytest.mark.parametrize(
    'cfg, formula',
    [
        (dict(type='BAM', in_channels=64), 3 * 64 * 4 + 18 * 16 + 13 * 4 + 64 + 1),
        (dict(type='SimAM', in_channels=64), 0),
        (dict(type='TripletAttention', in_channels=64), 300),
        (dict(type='TripletAttention', in_channels=64, kernel_size=3), 60),
        (dict(type='TripletAttention', in_channels=64, spatial=False), 200),
        (dict(type='GALA', in_channels=64), 3 * 64 * 16 + 25 * 256 + 4 * 16 + 3 * 64 + 1),
        (dict(type='GALA', in_channels=64, variant='paper'), 3 * 64 * 16 + 3 * 16 + 3 * 64 + 1),
        (dict(type='GALA', in_channels=64, kernel_size=3), 3 * 64 * 16 + 9 * 256 + 4 * 16 + 3 * 64 + 1),
        (dict(type='GALA', in_channels=64, interaction='additive'), 3 * 64 * 16 + 25 * 256 + 4 * 16 + 64 + 1),
        (dict(type='GC', in_channels=64), 2 * 64 * 4 + 3 * 4 + 2 * 64 + 1),
        (dict(type='GC', in_channels=64, pooling_type='avg'), 2 * 64 * 4 + 3 * 4 + 64),
        (dict(type='NoisyBN', num_features=64), 2 * 64),
    ],
)
def test_parameter_counts_are_the_papers(cfg, formula):
    layer = MODELS.build(dict(cfg, type='attn_plugins.' + cfg['type']))
    assert sum(p.numel() for p in layer.parameters()) == formula


def test_bam_in_a_resnet50_has_the_published_size():
    sizes = [MODELS.build(dict(type='attn_plugins.BAM', in_channels=c)) for c in (256, 512, 1024)]
    assert sum(p.numel() for layer in sizes for p in layer.parameters()) == 358067


@pytest.mark.parametrize(
    'cfg, message',
    [
        (dict(type='BAM', in_channels=8), 'reduction=16 leaves 0 hidden channels for in_channels=8'),
        (dict(type='BAM', in_channels=32, variant='codes'), "variant='codes' must be 'code' or 'paper'"),
        (dict(type='BAM', in_channels=32, dilation=0), 'dilation=0 must be at least 1'),
        (dict(type='SimAM', in_channels=8, e_lambda=0), 'e_lambda=0 must be positive'),
        (dict(type='TripletAttention', in_channels=8, kernel_size=4), 'kernel_size=4 must be odd.*: try 5'),
        (dict(type='GALA', in_channels=3), 'reduction=4 leaves 0 hidden channels for in_channels=3'),
        (dict(type='GALA', in_channels=8, kernel_size=0), 'kernel_size=0 must be odd and positive: try 1'),
        (dict(type='GALA', in_channels=8, variant='v2'), "variant='v2' must be 'code' or 'paper'"),
        (
            dict(type='GALA', in_channels=8, variant='paper', kernel_size=3),
            "kernel_size=3 has no use with variant='paper'.*leave it out",
        ),
        (
            dict(type='GALA', in_channels=8, interaction='sum'),
            "interaction='sum' must be one of both, additive",
        ),
        (dict(type='GC', in_channels=8), 'leaves 0 hidden channels for in_channels=8.*at least 0.25'),
        (dict(type='GC', in_channels=16), 'leaves 1 hidden channels for in_channels=16.*at least 0.13'),
        (dict(type='GC', in_channels=32, pooling_type='max'), "no pooling_type='max'"),
        (dict(type='GC', in_channels=32, fusion_types=['channel_ad']), 'did you mean channel_add'),
        (dict(type='GC', in_channels=32, fusion_types=[]), r'fusion_types=\[\]: choose from channel_add'),
    ],
)
def test_options_that_cannot_work_are_refused(cfg, message):
    with pytest.raises(ValueError, match=message):
        MODELS.build(dict(cfg, type='attn_plugins.' + cfg['type']))


def test_what_the_message_suggests_works():
    for channels, ratio in ((8, 0.25), (16, 0.13), (3, 0.67)):
        MODELS.build(dict(type='attn_plugins.GC', in_channels=channels, ratio=ratio))
