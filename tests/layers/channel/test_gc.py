"""GC: mmcv's block in float64, count, start, bad input."""

import pytest
import torch
from mmcv.cnn.bricks import ContextBlock

from attn_plugins import load_official
from tests.layers.check import scramble
from tests.layers.helpers import count, make, random_map
from tests.layers.starts import assert_start, kaiming, plain_norm, torch_default


@pytest.mark.parametrize('pooling_type', ['att', 'avg'])
@pytest.mark.parametrize('fusion_types', [('channel_add',), ('channel_mul',), ('channel_add', 'channel_mul')])
def test_gc_equals_mmcvs_block_and_loads_its_weights(pooling_type, fusion_types):
    options = dict(ratio=0.5, pooling_type=pooling_type, fusion_types=fusion_types)
    theirs = ContextBlock(8, **options)
    scramble(theirs)
    ours = make('GC', in_channels=8, **options)
    load_official(ours, theirs.state_dict())
    for size in ((1, 1), (3, 7)):
        x = random_map(2, 8, *size)
        torch.testing.assert_close(ours.double()(x), theirs.double()(x), rtol=1e-10, atol=1e-10)


def test_gc_starts_as_the_identity():
    x = torch.randn(2, 32, 4, 5)
    assert torch.equal(make('GC', in_channels=32)(x), x)
    gated = make('GC', in_channels=32, fusion_types='channel_mul')
    assert torch.equal(gated(x), x / 2)


@pytest.mark.parametrize(
    'options, number',
    [
        (dict(in_channels=64), 2 * 64 * 4 + 3 * 4 + 2 * 64 + 1),
        (dict(in_channels=64, pooling_type='avg'), 2 * 64 * 4 + 3 * 4 + 64),
    ],
)
def test_parameter_counts_are_the_papers(options, number):
    assert count('GC', **options) == number


def test_start():
    """open-mmlab/mmcv: cnn/bricks/context_block.py; what is not named there is torch's default."""
    assert_start(
        'GC',
        {
            'mask.weight': kaiming(256),
            'mask.bias': 0,
            **torch_default('add.fc1', 256),
            **plain_norm('add.norm'),
            'add.fc2.weight': 0,
            'add.fc2.bias': 0,
        },
        in_channels=256,
    )
    assert_start(
        'GC',
        {
            **torch_default('mul.fc1', 256),
            **plain_norm('mul.norm'),
            'mul.fc2.weight': 0,
            'mul.fc2.bias': 0,
        },
        in_channels=256,
        pooling_type='avg',
        fusion_types='channel_mul',
    )


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(in_channels=8), 'leaves 0 hidden channels for in_channels=8.*at least 0.25'),
        (dict(in_channels=16), 'leaves 1 hidden channels for in_channels=16.*at least 0.13'),
        (dict(pooling_type='max'), "no pooling_type='max'"),
        (dict(fusion_types=['channel_ad']), 'did you mean channel_add'),
        (dict(fusion_types=[]), r'fusion_types=\[\]: choose from channel_add'),
    ],
)
def test_options_that_cannot_work_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make('GC', **{'in_channels': 32, **options})


def test_what_the_message_suggests_works():
    for channels, ratio in ((8, 0.25), (16, 0.13), (3, 0.67)):
        make('GC', in_channels=channels, ratio=ratio)
