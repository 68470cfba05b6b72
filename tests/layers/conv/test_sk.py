"""SKConv: formula in float64, count, start, bad input."""

import pytest
import torch
from torch.nn import functional

from tests.layers.conv.build import random_conv
from tests.layers.examples import examples_of
from tests.layers.helpers import batch_norm, count, make
from tests.layers.starts import assert_start, kaiming, normal, plain_norm


@pytest.mark.parametrize('stride', [1, 2])
@pytest.mark.parametrize('name', examples_of('SKConv'))
def test_sk_equals_an_independent_formula(name, stride):
    layer = random_conv(name, stride=stride).double().eval()
    x = torch.randn(2, 8, 6, 7, dtype=torch.float64)
    maps = []
    for reach, branch in enumerate(layer.branches, 1):
        conv = functional.conv2d(x, branch.conv.weight, branch.conv.bias, stride, reach, reach, layer.groups)
        maps.append(batch_norm(conv.movedim(1, -1), branch.norm).movedim(-1, 1).clamp(min=0))
    descriptor = torch.stack(maps).sum(0).mean((2, 3))
    hidden = batch_norm(descriptor @ layer.fc1.weight.T, layer.norm).clamp(min=0)
    logits = [hidden @ rows.T for rows in layer.fc2.weight.split(12)]
    total = sum(torch.exp(logit) for logit in logits)
    expected = sum(
        (torch.exp(logit) / total)[:, :, None, None] * u for logit, u in zip(logits, maps, strict=True)
    )
    torch.testing.assert_close(layer(x), expected)


def test_start():
    """implus/SKNet: models/sknet50.prototxt; Caffe's msra filler takes the inputs of one group, 8 * 9 here."""
    assert_start(
        'SKConv',
        {
            'branches.0.conv.weight': kaiming(8 * 9),
            'branches.0.conv.bias': 0,
            **plain_norm('branches.0.norm'),
            'branches.1.conv.weight': kaiming(8 * 9),
            'branches.1.conv.bias': 0,
            **plain_norm('branches.1.norm'),
            'fc1.weight': normal(0.01),
            **plain_norm('norm'),
            'fc2.weight': normal(0.01),
        },
        in_channels=64,
        out_channels=64,
        kernel_size=3,
        padding=1,
        groups=8,
        min_channels=32,
        bias=True,
    )


@pytest.mark.parametrize('channels', [128, 256, 512])
def test_sks_choice_starts_near_even(channels):
    """d = 32 rectified unit normals through N(0, 0.01^2): logits of deviation 0.01 sqrt(32 / 2) = 0.04."""
    torch.manual_seed(0)
    layer = make('SKConv', in_channels=channels, out_channels=channels, kernel_size=3, padding=1, groups=32)
    assert layer.fc1.out_features == 32
    logits = []
    layer.fc2.register_forward_hook(lambda _, __, y: logits.append(y))
    layer(torch.randn(16, channels, 5, 7))
    assert abs(logits[0].std().item() / 0.04 - 1) < 0.1
    weights = logits[0].unflatten(1, (2, channels)).softmax(1)
    assert weights.min() > 0.42 and weights.max() < 0.58


@pytest.mark.parametrize(
    'options, number',
    [
        (
            dict(in_channels=128, out_channels=128, kernel_size=3, groups=32),
            2 * (9 * 128**2 // 32 + 2 * 128) + 128 * 32 + 2 * 32 + 2 * 128 * 32,
        ),
        (
            dict(in_channels=1024, out_channels=1024, kernel_size=3, groups=32),
            2 * (9 * 1024**2 // 32 + 2 * 1024) + 1024 * 64 + 2 * 64 + 2 * 1024 * 64,
        ),
    ],
)
def test_parameter_counts_are_the_papers(options, number):
    assert count('SKConv', **options) == number


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(kernel_size=1), 'kernel_size=1 has no reach.*use 3'),
        (dict(branches=1), 'branches=1 leaves nothing to select from'),
        (dict(reduction=0), 'reduction=0 and min_channels=32 must be at least 1'),
    ],
)
def test_options_that_cannot_work_are_refused(options, message):
    sizes = dict(in_channels=16, out_channels=16, kernel_size=3, padding=1)
    with pytest.raises(ValueError, match=message):
        make('SKConv', **{**sizes, **options})


def test_a_batch_of_one_cannot_be_trained():
    layer = make('SKConv', in_channels=8, out_channels=8, kernel_size=3, padding=1)
    x = torch.randn(1, 8, 5, 7)
    with pytest.raises(
        ValueError, match=r'with one sample, and is given \(1, .*train with at least 2 samples'
    ):
        layer(x)
    assert layer.eval()(x).shape == x.shape
