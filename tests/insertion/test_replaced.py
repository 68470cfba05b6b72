"""Convolutions of this package in the place of a host's: sizes, keys and outputs are the host's."""

import pytest
import torch
from mmengine.registry import MODELS

from attn_plugins import InsertionError, inserted_layers
from tests.insertion.hosts import ANCHORS, HOSTS, forward, plain

CONVS = [
    dict(type='attn_plugins.SKConv'),
    dict(type='attn_plugins.AAConv', num_heads=2),
    dict(type='attn_plugins.DynamicConv'),
]


def put(family: str, *plugins: dict, **options) -> torch.nn.Module:
    host, defaults, *_ = HOSTS[family]
    return MODELS.build(
        dict(type='attn_plugins.Plugged', host=host, plugins=list(plugins), **defaults, **options)
    )


@pytest.mark.parametrize('cfg', CONVS, ids=lambda cfg: cfg['type'].split('.')[1])
@pytest.mark.parametrize('family', ['mmdet ResNet-50', 'mmseg ResNetV1c-50', 'mmpretrain ResNet-18'])
def test_they_take_the_sizes_of_what_they_replace(family, cfg):
    model, host = put(family, dict(cfg=cfg, replace='layer*.*.conv2')), plain(family)
    layers = inserted_layers(model)
    assert len(layers) == sum(len(getattr(host, f'layer{stage}')) for stage in range(1, 5))
    for name, layer in layers.items():
        conv = host.get_submodule(name.rpartition('.')[0])
        for size in ('in_channels', 'out_channels', 'kernel_size', 'stride', 'padding', 'dilation', 'groups'):
            assert getattr(layer, size) == getattr(conv, size), f'{name}: {size}'
    assert forward(family, model).shape == forward(family, host).shape
    model.init_weights()
    model.train()
    forward(family, model).sum().backward()
    gone = set(host.state_dict()) - set(model.state_dict())
    assert gone == {f'{name.rpartition(".")[0]}.weight' for name in layers}


def test_the_configs_own_groups_and_bias_are_kept():
    cfg = dict(type='attn_plugins.SKConv', groups=4)
    (layer,) = inserted_layers(put('mmdet ResNet-50', dict(cfg=cfg, replace='layer2.0.conv2'))).values()
    assert layer.groups == 4 and layer.stride == (2, 2)


@pytest.mark.parametrize(
    'entry, message',
    [
        (dict(position='after_conv2'), "is a convolution: say which of the host's it replaces"),
        (dict(replace='layer1.0.bn2'), 'SKConv is a convolution and layer1.0.bn2 is of type .*BatchNorm'),
        (dict(replace='layer1.0.conv1'), 'at layer1.0.conv1: kernel_size=1 has no reach'),
    ],
)
def test_what_cannot_work_is_refused(entry, message):
    with pytest.raises(InsertionError, match=message):
        put('mmdet ResNet-50', dict(cfg=CONVS[0], **entry))


def test_a_convolution_with_a_geometry_of_its_own_is_refused():
    """EfficientNet's pads by the size of the map: a plain convolution gives 55 x 55 for 56 x 56."""
    with pytest.raises(InsertionError, match='Conv2dAdaptivePadding, which pads or weighs in its own way'):
        put(
            'mmpretrain EfficientNet',
            dict(cfg=dict(type='attn_plugins.SKConv'), replace='layers.2.0.depthwise_conv.conv'),
        )


def retina_sep_bn_head(*plugins: dict) -> torch.nn.Module:
    options = dict(num_classes=3, num_ins=5, in_channels=16, feat_channels=16, stacked_convs=1)
    host = dict(
        type='attn_plugins.Plugged',
        host='mmdet.RetinaSepBNHead',
        anchor_generator=ANCHORS,
        plugins=list(plugins),
    )
    return MODELS.build(dict(host, norm_cfg=dict(type='BN'), **options))


def test_what_levels_share_stays_shared():
    """RetinaSepBNHead has one convolution for all levels and a norm for each."""
    cfg = dict(type='attn_plugins.DynamicConv')
    head = retina_sep_bn_head(dict(cfg=cfg, replace='cls_convs.*.*.conv'))
    assert len({id(convs[0].conv.attn_layer) for convs in head.cls_convs}) == 1
    assert len({id(convs[0].bn) for convs in head.cls_convs}) == 5
    maps = [torch.randn(1, 16, size, size) for size in (16, 8, 4, 2, 1)]
    head.eval()
    assert len(head(maps)[0]) == 5
    with pytest.raises(
        InsertionError, match='is one module with cls_convs.1.0.conv, .*: replace them all, or none'
    ):
        retina_sep_bn_head(dict(cfg=cfg, replace='cls_convs.0.*.conv'))
