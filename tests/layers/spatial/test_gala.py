"""GALA: formula in float64, count, start, bad input."""

import pytest
import torch

from tests.layers.helpers import count, exact, linear, make, random_map, window_sums
from tests.layers.starts import assert_start, glorot, variance_scaling


@pytest.mark.parametrize('variant', ['code', 'paper'])
@pytest.mark.parametrize('interaction', ['both', 'additive', 'multiplicative'])
@pytest.mark.parametrize('size', [(1, 1), (3, 6)])
def test_gala_equals_an_independent_formula(interaction, size, variant):
    layer = exact('GALA', in_channels=8, interaction=interaction, variant=variant)
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
    layer = make('GALA', in_channels=16)
    assert layer.code and layer.local_conv.kernel_size == (5, 5)


@pytest.mark.parametrize(
    'options, number',
    [
        (dict(in_channels=64), 3 * 64 * 16 + 25 * 256 + 4 * 16 + 3 * 64 + 1),
        (dict(in_channels=64, variant='paper'), 3 * 64 * 16 + 3 * 16 + 3 * 64 + 1),
        (dict(in_channels=64, kernel_size=3), 3 * 64 * 16 + 9 * 256 + 4 * 16 + 3 * 64 + 1),
        (dict(in_channels=64, interaction='additive'), 3 * 64 * 16 + 25 * 256 + 4 * 16 + 64 + 1),
    ],
)
def test_parameter_counts_are_the_papers(options, number):
    assert count('GALA', **options) == number


def test_start():
    """serre-lab/gala_tpu: resnet_helpers.py; the widths are those of reduction=4."""
    assert_start(
        'GALA',
        {
            'local_reduce.weight': variance_scaling(256),
            'local_reduce.bias': 0,
            'local_conv.weight': variance_scaling(25 * 64),
            'local_conv.bias': 0,
            'local_out.weight': variance_scaling(64),
            'local_out.bias': 0,
            'fc1.weight': glorot(256, 64),
            'fc1.bias': 0,
            'fc2.weight': glorot(64, 256),
            'fc2.bias': 0,
            'alpha': variance_scaling(1),
            'beta': variance_scaling(1),
        },
        in_channels=256,
    )


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(in_channels=3), 'reduction=4 leaves 0 hidden channels for in_channels=3'),
        (dict(kernel_size=0), 'kernel_size=0 must be odd and positive: try 1'),
        (dict(variant='v2'), "variant='v2' must be 'code' or 'paper'"),
        (dict(variant='paper', kernel_size=3), "kernel_size=3 has no use with variant='paper'.*leave it out"),
        (dict(interaction='sum'), "interaction='sum' must be one of both, additive"),
    ],
)
def test_options_that_cannot_work_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make('GALA', **{'in_channels': 32, **options})
