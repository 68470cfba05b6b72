"""Checkpoints that were trained with mmcv's own attention as a plugin of mmdet's ResNet load into ours."""

import pytest
import torch
from mmcv.cnn.bricks import ContextBlock, GeneralizedAttention, NonLocal2d  # noqa: F401  registered by name
from mmengine.registry import MODELS

from attn_plugins import load_official
from tests.layers.check import scramble

# Where the numbers are mmcv's, the types that have E2 without E4 left out.
PAIRS = {
    'gen_attention_block': (
        dict(type='GeneralizedAttention', num_heads=4, attention_type='1111', kv_stride=2),
        'after_conv2',
    ),
    'context_block': (dict(type='ContextBlock', ratio=1 / 4), 'after_conv3'),
    'nonlocal_block': (dict(type='NonLocal2d', reduction=2), 'after_conv3'),
}
OURS = dict(GeneralizedAttention='GeneralizedAttention', ContextBlock='GC', NonLocal2d='NonLocal')


@pytest.mark.parametrize('key', PAIRS)
def test_native_plugins_load(key):
    cfg, position = PAIRS[key]
    options = dict(depth=50, base_channels=8, stem_channels=8)
    stages = (False, False, True, True)
    theirs = MODELS.build(
        dict(type='mmdet.ResNet', plugins=[dict(cfg=cfg, position=position, stages=stages)], **options)
    )
    scramble(theirs)
    theirs.eval()
    state = theirs.state_dict()
    assert any(f'.{key}.' in name for name in state)
    plugin = dict(cfg=dict(cfg, type=f'attn_plugins.{OURS[cfg["type"]]}'), position=position, stages=stages)
    ours = MODELS.build(dict(type='attn_plugins.Plugged', host='mmdet.ResNet', plugins=[plugin], **options))
    load_official(ours, state)
    ours.eval()
    theirs, ours = theirs.double(), ours.double()
    x = torch.randn(2, 3, 64, 64, dtype=torch.float64)  # square: mmcv fails on others for some types
    expected = theirs(x)[-1]
    assert (ours(x)[-1] - expected).abs().max() <= 1e-9 * expected.abs().max()


def test_the_window_that_mmcv_saves_must_be_ours():
    options = dict(in_channels=512, num_heads=8, attention_type='1000', kv_stride=2)
    state = GeneralizedAttention(spatial_range=5, **options).state_dict()
    assert 'local_constraint_map' in state
    load_official(
        MODELS.build(dict(type='attn_plugins.GeneralizedAttention', spatial_range=5, **options)), state
    )
    other = MODELS.build(dict(type='attn_plugins.GeneralizedAttention', spatial_range=7, **options))
    with pytest.raises(ValueError, match="'local_constraint_map' is not what GeneralizedAttention computes"):
        load_official(other, state)


def test_a_dct_of_other_frequencies_is_refused():
    options = dict(type='attn_plugins.FCA', in_channels=32, dct_size=7)
    theirs = MODELS.build(dict(options, frequencies='low16'))
    state = {'fc.0.weight': theirs.excitation.fc1.weight, 'fc.2.weight': theirs.excitation.fc2.weight}
    state = {**state, **theirs.official_constants()}
    load_official(MODELS.build(dict(options, frequencies='low16')), state)
    with pytest.raises(ValueError, match="'dct_layer.weight' is not what FCA computes from its options"):
        load_official(MODELS.build(dict(options, frequencies='top16')), state)
