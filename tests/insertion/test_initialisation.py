"""The published initialisation of every layer survives the initialisation of every family of hosts."""

import copy

import pytest
import torch
from mmengine.registry import MODELS

from attn_plugins import inserted_layers
from attn_plugins.insertion.tree import own_keys
from tests.insertion.hosts import HOSTS, SE
from tests.layers.check import scramble
from tests.layers.examples import LAYERS

# The families differ in how far mmengine's initialisation reaches into their stages.
FAMILIES = [name for name in HOSTS if name not in ('mmdet ResNet-18', 'mmpretrain ResNet-18')]
ONE_OF_EACH = {cfg['type'].split('.')[1]: cfg for cfg in reversed(LAYERS.values())}
# What mmdet's SSDLite asks for its backbone; it reaches every convolution.
TRUNCATED = dict(type='TruncNormal', layer='Conv2d', std=0.03)


def check(model: torch.nn.Module) -> None:
    """After the host's initialisation each layer has exactly what its own `init_weights` left there.

    That this is the published start, the layer contract checks.
    """
    layers = {name: layer for name, layer in inserted_layers(model).items() if own_keys(layer)}
    published = {}
    for name, layer in layers.items():
        scramble(layer)

        def recorded(name=name, layer=layer, init_weights=layer.init_weights):
            init_weights()
            published[name] = copy.deepcopy(layer.state_dict())

        layer.init_weights = recorded
    model.init_weights()
    assert published.keys() == layers.keys()
    for name, layer in layers.items():
        for key in own_keys(layer):
            value = layer.state_dict()[key]
            assert torch.equal(value, published[name][key]), f'{name}.{key}'


ATTENTION = [name for name in ONE_OF_EACH if name not in ('IEBN', 'NoisyBN')]


def entries(position: str) -> list[dict]:
    """Every attention layer, one after the other at each place."""
    return [dict(cfg=ONE_OF_EACH[name], position=position) for name in ATTENTION]


def build(family: str, plugins: list[dict], **options) -> torch.nn.Module:
    host, defaults, *_ = HOSTS[family]
    return MODELS.build(dict(type='attn_plugins.Plugged', host=host, plugins=plugins, **defaults, **options))


@pytest.mark.parametrize('family', FAMILIES)
def test_attention_starts_as_published(family):
    model = build(family, entries(HOSTS[family][2]))
    assert len({type(layer) for layer in inserted_layers(model).values()}) == len(ATTENTION)
    check(model)


@pytest.mark.parametrize('family', [name for name in FAMILIES if 'FPN' not in name])
@pytest.mark.parametrize('norm', ['IEBN', 'NoisyBN'])
def test_norms_start_as_published(family, norm):
    check(build(family, [dict(cfg=ONE_OF_EACH[norm], norm='main')]))


def test_they_survive_an_initialisation_of_every_convolution():
    check(build('mmdet MobileNetV2', entries('after_depthwise'), init_cfg=[TRUNCATED]))


@pytest.mark.parametrize('library', ['mmdet', 'mmseg'])
def test_they_survive_as_openmmlabs_own_plugins(library):
    """In ResNet's own `plugins=`, without `Plugged`."""
    plugins = [
        dict(cfg=ONE_OF_EACH[name], position='after_conv3', stages=(False, True, False, False))
        for name in ATTENTION
    ]
    model = MODELS.build(
        dict(type=f'{library}.ResNet', depth=50, base_channels=8, stem_channels=8, plugins=plugins)
    )
    assert len(inserted_layers(model)) == 4 * len(ATTENTION)
    check(model)


# Hosts whose own `init_weights` goes over all convolutions, after those of their parts.
THOROUGH = {
    'DetectoRS_ResNet': (
        dict(
            host='mmdet.DetectoRS_ResNet',
            depth=50,
            base_channels=8,
            stem_channels=8,
            sac=None,
            rfp_inplanes=None,
        ),
        dict(position='after_conv3'),
    ),
    'ShuffleNetV1': (
        dict(host='mmpretrain.ShuffleNetV1', groups=2, widen_factor=0.25),
        dict(position='block_output'),
    ),
    'ShuffleNetV2': (dict(host='mmpretrain.ShuffleNetV2', widen_factor=0.5), dict(position='block_output')),
    'RTMDetHead': (
        dict(
            host='mmdet.RTMDetHead', num_classes=3, in_channels=16, feat_channels=16, norm_cfg=dict(type='BN')
        ),
        dict(after='cls_convs.*'),
    ),
    'YOLOV3Head': (
        dict(host='mmdet.YOLOV3Head', num_classes=3, in_channels=[32, 16, 8], out_channels=[32, 16, 8]),
        dict(after='convs_bridge.*'),
    ),
    'DilatedEncoder': (
        dict(
            host='mmdet.DilatedEncoder',
            in_channels=16,
            out_channels=16,
            block_mid_channels=8,
            num_residual_blocks=2,
            block_dilations=[2, 4],
        ),
        dict(after='dilated_encoder_blocks.*'),
    ),
}


@pytest.mark.parametrize('name', THOROUGH)
def test_they_survive_hosts_that_initialise_everything_themselves(name):
    host, place = THOROUGH[name]
    cfg = dict(type='attn_plugins.CoordAttention')
    check(MODELS.build(dict(type='attn_plugins.Plugged', plugins=[dict(cfg=cfg, **place)], **host)))


@pytest.mark.parametrize('version', ['DCN', 'DCNv2'])
@pytest.mark.parametrize('plugins', [[], [dict(cfg=SE, position='after_conv2')]], ids=['plain', 'se'])
def test_offsets_of_deformable_convolutions_start_at_zero(version, plugins):
    """mmdet draws every convolution of a backbone without a checkpoint, and mmcv's version 1 does nothing after
    that.
    """
    model = build('mmdet ResNet-50', plugins, **deformable(version))
    model.init_weights()
    offsets = [module for name, module in model.named_modules() if name.endswith('conv_offset')]
    assert len(offsets) == 4 + 6 + 3
    assert not any(p.any() for module in offsets for p in module.parameters())
    assert model.conv1.weight.any()


def test_offsets_of_a_checkpoint_are_kept(tmp_path):
    trained = build('mmdet ResNet-50', [], **deformable('DCN'))
    scramble(trained)
    torch.save(trained.state_dict(), tmp_path / 'trained.pth')
    init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'trained.pth'))
    model = build('mmdet ResNet-50', [], init_cfg=init_cfg, **deformable('DCN'))
    copy.deepcopy(model).init_weights()
    model.init_weights()
    assert all(torch.equal(value, trained.state_dict()[key]) for key, value in model.state_dict().items())


def deformable(version: str) -> dict:
    """Where the study has them: in the last three stages."""
    return dict(dcn=dict(type=version, deform_groups=1), stage_with_dcn=(False, True, True, True))
