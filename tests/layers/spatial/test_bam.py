"""BAM: formula in float64, count, start, bad input."""

import pytest
import torch

from tests.layers.helpers import batch_norm, count, exact, linear, make, random_map, window_sums
from tests.layers.starts import assert_start, kaiming, plain_norm, torch_default


@pytest.mark.parametrize('variant', ['code', 'paper'])
def test_bam_equals_its_formula_on_a_map_that_is_not_square(variant):
    layer = exact('BAM', in_channels=8, reduction=4, dilation=2, variant=variant)
    channel, spatial = layer.channel, layer.spatial
    x = random_map(1, 8, 3, 7)
    places = x[0].permute(1, 2, 0)
    vector = linear(batch_norm(linear(x[0].mean((1, 2)), channel.fc1), channel.norm).relu(), channel.fc2)
    features = batch_norm(linear(places, spatial.reduce), spatial.reduce_norm).relu()
    features = batch_norm(window_sums(features, spatial.conv1), spatial.norm1).relu()
    features = batch_norm(window_sums(features, spatial.conv2), spatial.norm2).relu()
    local = linear(features, spatial.out)
    logits = vector * local if variant == 'code' else vector + local
    torch.testing.assert_close(layer(x)[0], (places + places * torch.sigmoid(logits)).permute(2, 0, 1))


def test_bams_default_is_what_reproduces_the_published_numbers():
    assert make('BAM', in_channels=32).product


@pytest.mark.parametrize(
    'options, number',
    [
        (dict(in_channels=64), 3 * 64 * 4 + 18 * 16 + 13 * 4 + 64 + 1),
    ],
)
def test_parameter_counts_are_the_papers(options, number):
    assert count('BAM', **options) == number


def test_bam_in_a_resnet50_has_the_published_size():
    sizes = [make('BAM', in_channels=c) for c in (256, 512, 1024)]
    assert sum(p.numel() for layer in sizes for p in layer.parameters()) == 358067


def test_start():
    """Jongchan/attention-module: MODELS/model_resnet.py; linear weights are left at torch's default there."""
    assert_start(
        'BAM',
        {
            **torch_default('channel.fc1', 64),
            'channel.fc1.bias': 0,
            **plain_norm('channel.norm'),
            **torch_default('channel.fc2', 16),
            'channel.fc2.bias': 0,
            'spatial.reduce.weight': kaiming(16),
            'spatial.reduce.bias': 0,
            **plain_norm('spatial.reduce_norm'),
            'spatial.conv1.weight': kaiming(9 * 16),
            'spatial.conv1.bias': 0,
            **plain_norm('spatial.norm1'),
            'spatial.conv2.weight': kaiming(9 * 16),
            'spatial.conv2.bias': 0,
            **plain_norm('spatial.norm2'),
            'spatial.out.weight': kaiming(1),
            'spatial.out.bias': 0,
        },
        in_channels=64,
        reduction=4,
    )


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(in_channels=8), 'reduction=16 leaves 0 hidden channels for in_channels=8'),
        (dict(variant='codes'), "variant='codes' must be 'code' or 'paper'"),
        (dict(dilation=0), 'dilation=0 must be at least 1'),
    ],
)
def test_options_that_cannot_work_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make('BAM', **{'in_channels': 32, **options})


def test_a_batch_of_one_cannot_be_trained():
    layer = make('BAM', in_channels=8, reduction=2)
    x = torch.randn(1, 8, 5, 7)
    with pytest.raises(
        ValueError, match=r'with one sample, and is given \(1, .*train with at least 2 samples'
    ):
        layer(x)
    assert layer.eval()(x).shape == x.shape
