"""Channels are those of a real forward pass, the config's word wins, and what is no map is refused when the model is
built.
"""

import pytest
import timm
import torch
import torchvision
from mmengine.registry import MODELS

import attn_plugins
from attn_plugins import InsertionError, inserted_layers

CA = dict(type='attn_plugins.CoordAttention')
R18 = dict(host='mmdet.ResNet', depth=18, base_channels=8, stem_channels=8)
# Modules whose last registered part does not say what leaves them, and the forward that shows it.
MISLEADING = {
    'CSPLayer': (
        dict(host='mmdet.CSPDarknet', widen_factor=0.25, deepen_factor=0.33),
        'stage*.*',
        [32, 32, 64, 64, 128, 128, 256, 256, 256],
    ),
    'Bottle2neck': (
        dict(host='mmdet.Res2Net', depth=50, scales=4, base_width=4, base_channels=8, stem_channels=8),
        'layer*.*',
        None,
    ),
    'ShuffleNet': (dict(host='mmpretrain.ShuffleNetV2', widen_factor=0.5), 'layers.*.*', None),
    'DenseBlock': (
        dict(host='mmpretrain.DenseNet', arch=dict(growth_rate=8, depths=[2, 2, 2, 2], init_channels=16)),
        'stages.*',
        None,
    ),
    'STDCModule': (
        dict(
            host='mmseg.STDCNet',
            stdc_type='STDCNet1',
            in_channels=3,
            channels=(16, 32, 32, 48, 64),
            bottleneck_type='cat',
            num_convs=4,
            norm_cfg=dict(type='BN'),
            act_cfg=dict(type='ReLU'),
            with_final_conv=False,
        ),
        'stages.*',
        None,
    ),
    'SplitAttentionConv2d': (
        dict(host='mmdet.ResNeSt', depth=50, base_channels=16, stem_channels=16),
        'layer*.*.conv2',
        None,
    ),
    'PIDNet': (dict(host='mmseg.PIDNet', channels=8, ppm_channels=16), 'spp', None),
    'DDRNet': (dict(host='mmseg.DDRNet', channels=8, ppm_channels=16), 'spp', None),
}


def build(entry: dict, **host) -> torch.nn.Module:
    return MODELS.build(dict(type='attn_plugins.Plugged', plugins=[entry], **host))


@pytest.mark.parametrize('name', MISLEADING)
def test_what_leaves_a_block_is_what_the_forward_shows(name):
    host, glob, _ = MISLEADING[name]
    model = build(dict(cfg=CA, after=glob), **host)
    layers = inserted_layers(model)
    seen = {}
    for key, layer in layers.items():
        layer.register_forward_hook(lambda layer, inputs, _, key=key: seen.update({key: inputs[0].shape[1]}))
    model.eval()
    model(torch.randn(1, 3, 64, 64))
    assert layers and seen == {key: layer.in_channels for key, layer in layers.items()}


def test_a_word_of_the_config_that_is_not_the_maps_is_refused():
    with pytest.raises(
        InsertionError, match='in_channels=7 in the cfg is not what ResNet has at layer1.0.conv2, 8 chan'
    ):
        build(dict(cfg=dict(CA, in_channels=7), after='layer1.0.conv2'), **R18)
    assert inserted_layers(build(dict(cfg=CA, after='maxpool'), **R18))['maxpool.attn_ca'].in_channels == 8


def test_an_operator_without_a_meta_kernel_is_run():
    """mmcv's deformable convolution computes on the CPU only."""
    dcn = dict(host='mmdet.ResNet', depth=50, base_channels=8, stem_channels=8)
    dcn |= dict(
        dcn=dict(type='DCNv2', deform_groups=1, fallback_on_stride=False),
        stage_with_dcn=(False, True, True, True),
    )
    model = build(dict(cfg=CA, position='block_output'), **dcn)
    assert [layer.in_channels for layer in inserted_layers(model).values()] == [32] * 3 + [64] * 4 + [
        128
    ] * 6 + [256] * 3


@pytest.mark.parametrize(
    'host, entry, message',
    [
        (
            dict(host='mmdet.SwinTransformer', embed_dims=8, depths=(1, 1, 1, 1), num_heads=(1, 1, 1, 1)),
            dict(after='stages.0'),
            'stages.0 hands on a tuple',
        ),
        (
            dict(host='mmdet.SwinTransformer', embed_dims=8, depths=(1, 1, 1, 1), num_heads=(1, 1, 1, 1)),
            dict(after='stages.0.blocks.0.norm1'),
            r'hands on a tensor \(1, 1536, 8\): a layer needs one map \(N, C, H, W\)',
        ),
        (dict(host='mmdet.HRNet', extra=None), dict(after='stage2'), 'stage2.0 hands on 2 maps'),
        (R18, dict(replace='layer2.0.conv1'), 'layer2.0.conv1 makes a map of 16 channels from 8 channels'),
        (
            dict(host='mmdet.FPN', in_channels=[8, 16], out_channels=8, num_outs=3),
            dict(after='fpn_convs'),
            'fpn_convs is not called in a forward of FPN',
        ),
    ],
    ids=['a tuple', 'tokens', 'a list of maps', 'other channels', 'a list of modules'],
)
def test_what_is_no_place_for_a_map_is_refused_when_the_model_is_built(host, entry, message):
    if host.get('extra', 0) is None:
        stages = {
            f'stage{i}': dict(
                num_modules=1,
                num_branches=i,
                block='BASIC' if i > 1 else 'BOTTLENECK',
                num_blocks=(1,) * i,
                num_channels=tuple(8 * 2**j for j in range(i)),
            )
            for i in (1, 2, 3, 4)
        }
        host = dict(host, extra=stages)
    with pytest.raises(InsertionError, match=message):
        build(dict(cfg=CA, **entry), **host)


@pytest.mark.parametrize(
    'build_host, place',
    [
        (lambda: torchvision.models.convnext_tiny(num_classes=3), 'features.1.0.block.3'),
        (lambda: timm.create_model('test_convnext', num_classes=3), 'stages.0.blocks.0.mlp.fc1'),
        (
            lambda: timm.create_model('vit_tiny_patch16_224', num_classes=3, depth=1, qk_norm=True),
            'blocks.0.attn.q_norm',
        ),
    ],
    ids=['torchvision ConvNeXt', 'timm ConvNeXt', 'the heads of a ViT'],
)
def test_four_axes_are_no_map_yet(build_host, place):
    """Channels last, or the heads of an attention, in the second axis' place: a layer there would gate image rows."""
    with torch.device('meta'):
        host = build_host()
    host.to_empty(device='cpu')
    with pytest.raises(InsertionError, match='which is no map'):
        attn_plugins.plug(host, [dict(cfg=CA, after=place)])


def test_levels_with_channels_last_are_no_maps():
    with torch.device('meta'):
        host = timm.create_model('swin_tiny_patch4_window7_224', features_only=True)
    host.to_empty(device='cpu')
    with pytest.raises(
        InsertionError, match='level_output is for a backbone or a neck that hands on several maps'
    ):
        attn_plugins.plug(host, [dict(cfg=CA, position='level_output')])


def test_what_is_replaced_keeps_the_size():
    with pytest.raises(InsertionError, match='maxpool changes the size of the map'):
        build(dict(cfg=CA, replace='maxpool'), **R18)


def test_a_module_that_runs_several_times_is_named(log_lines):
    """One activation for a whole block: the layer there runs after the addition too."""
    attn_plugins.plug(torchvision.models.resnet18(), [dict(cfg=CA, after='layer1.0.relu')])
    assert any('layer1.0.relu runs 2 times in a forward of ResNet' in line for line in log_lines)
