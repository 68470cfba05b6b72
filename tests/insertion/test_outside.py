"""What a check from outside found: each was silent, or left a model half changed."""

import copy
import functools

import pytest
import timm
import torch
import torchvision
from mmengine.model import BaseModule
from mmengine.registry import MODELS
from torch import nn

import attn_plugins
from attn_plugins import InsertionError, inserted_layers
from tests.insertion.test_host_tables import Scale

SE = dict(type='attn_plugins.SE', reduction=4)
IEBN = dict(type='attn_plugins.IEBN')


class ZeroGate(BaseModule):
    """A layer of a user: mmengine's, whose `init_weights` does nothing without an `init_cfg`."""

    _abbr_ = 'zero_gate'

    def __init__(self, in_channels: int):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, in_channels, 1)
        nn.init.zeros_(self.conv.weight)

    def forward(self, x):
        return x + self.conv(x)


def test_a_layer_of_mmengines_kind_keeps_the_start_it_was_built_with():
    entry = dict(cfg=dict(type=ZeroGate), position='block_output')
    model = MODELS.build(
        dict(
            type='attn_plugins.Plugged',
            host='mmdet.ResNet',
            depth=18,
            base_channels=8,
            stem_channels=8,
            plugins=[entry],
        )
    )
    model.init_weights()
    assert all((layer.conv.weight == 0).all() for layer in inserted_layers(model).values())


@pytest.mark.parametrize('start', [None, 'identity'])
def test_a_users_layer_is_initialised_with_and_without_an_identity_start(start):
    entry = dict(cfg=dict(type=Scale), position='block_output', start=start)
    model = MODELS.build(
        dict(
            type='attn_plugins.Plugged',
            host='mmdet.ResNet',
            depth=18,
            base_channels=8,
            stem_channels=8,
            plugins=[entry],
        )
    )
    with torch.no_grad():
        for key, p in model.named_parameters():
            if '.scale.' in key:
                p.fill_(3)
    model.init_weights()
    for key, p in model.named_parameters():
        if '.scale.' in key:
            assert (p == (0 if key.endswith('attn_start') else 1)).all(), key


@pytest.mark.parametrize('side', ['after', 'before'])
def test_hosts_may_call_their_modules_by_keyword(side):
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(8, 8, 1)

        def forward(self, hidden):
            return self.conv(hidden)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.block = nn.Conv2d(3, 8, 1), Block()

        def forward(self, x):
            return self.block(hidden=self.stem(x))

    x, plain = torch.randn(2, 3, 5, 4), Net()
    model = attn_plugins.plug(copy.deepcopy(plain), [dict(cfg=SE, **{side: 'block'})]).eval()
    (layer,) = inserted_layers(model).values()
    hidden = plain.stem(x)
    expected = layer(plain.block(hidden)) if side == 'after' else plain.block(layer(hidden))
    torch.testing.assert_close(model(x), expected)
    torch.testing.assert_close(torch.fx.symbolic_trace(model)(x), expected)


def test_a_layer_that_changes_the_shape_is_refused():
    halves = dict(type=nn.Conv2d, out_channels=64, kernel_size=3, stride=2)
    with pytest.raises(InsertionError, match='Conv2d does not keep the shape of a map'):
        attn_plugins.plug(torchvision.models.resnet18(), [dict(cfg=halves, after='layer1')])
    keeps = dict(type=nn.Conv2d, out_channels=64, kernel_size=3, padding=1)
    assert inserted_layers(
        attn_plugins.plug(torchvision.models.resnet18(), [dict(cfg=keeps, after='layer1')])
    )


def test_a_hosts_attributes_stay_the_hosts():
    """Whatever they are called."""

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.channels, self.side = nn.Conv2d(8, 8, 1), 3, 'left'

        def forward(self, x):
            return self.layer(x)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.block = nn.Conv2d(3, 8, 1), Block()

        def forward(self, x):
            return self.block.layer(self.block(self.stem(x)))[:, : self.block.channels]

    model = attn_plugins.plug(Net(), [dict(cfg=SE, after='block')])
    assert model(torch.randn(1, 3, 4, 4)).shape[1] == 3
    model.block.channels = 5
    assert model.block.wrapped.channels == 5 and model(torch.randn(1, 3, 4, 4)).shape[1] == 5


def test_a_bare_name_is_the_users_own_layer():
    class ECA(nn.Module):
        def __init__(self, in_channels):
            super().__init__()

        def forward(self, x):
            return x

    MODELS.register_module(name='ECA', module=ECA)
    try:
        for name, cls in (
            ('ECA', ECA),
            ('attn_plugins.ECA', attn_plugins.layers.ECA),
            ('SimAM', attn_plugins.layers.SimAM),
        ):
            model = attn_plugins.plug(
                torchvision.models.resnet18(), [dict(cfg=dict(type=name), after='layer1')]
            )
            assert {type(layer) for layer in inserted_layers(model).values()} == {cls}
    finally:
        MODELS.module_dict.pop('ECA')


def test_norms_that_hold_their_activation_are_refused():
    with pytest.raises(InsertionError, match='is a BatchNormAct2d, which holds its activation'):
        attn_plugins.plug(timm.create_model('mobilenetv3_small_050'), [dict(cfg=IEBN, norm='main')])


def test_projection_shortcuts_of_a_regnet_are_shortcuts():
    model = attn_plugins.plug(torchvision.models.regnet_y_400mf(), [dict(cfg=IEBN, norm='main')])
    assert not any('.proj.' in name for name in inserted_layers(model))


def test_batch_norms_of_vectors_are_left_out():
    host = nn.Sequential(
        nn.Conv2d(3, 8, 1), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(128, 4), nn.BatchNorm1d(4)
    )
    model = attn_plugins.plug(host, [dict(cfg=IEBN, norm='all')])
    assert list(inserted_layers(model)) == ['1'] and model(torch.randn(2, 3, 4, 4)).shape == (2, 4)


def test_whatever_fails_the_model_is_as_it_was():
    class Broken(nn.Module):
        def __init__(self, in_channels):
            raise KeyError('broken')

    model = torchvision.models.resnet18()
    keys = list(model.state_dict())
    entries = [
        dict(cfg=SE, after='layer1'),
        dict(cfg=SE, position='stage_output', stages=(False, True, True, True)),
    ]
    with pytest.raises(KeyError):
        attn_plugins.plug(model, [*entries, dict(cfg=dict(type=Broken), after='layer2')])
    assert not inserted_layers(model) and list(model.state_dict()) == keys
    levels = timm.create_model('resnet18', features_only=True)
    with pytest.raises(KeyError):
        attn_plugins.plug(
            levels, [dict(cfg=SE, position='level_output'), dict(cfg=dict(type=Broken), after='layer2')]
        )
    assert type(levels) is timm.models._features.FeatureListNet and 'level_output' not in levels._modules


def test_levels_are_traced_by_torch_fx_and_need_the_forward_of_the_class():
    model = timm.create_model('resnet18', features_only=True)
    attn_plugins.plug(model, [dict(cfg=SE, position='level_output')]).eval()
    x = torch.randn(1, 3, 64, 64)
    for a, b in zip(torch.fx.symbolic_trace(model)(x), model(x), strict=True):
        torch.testing.assert_close(a, b)
    host = timm.create_model('resnet18')
    host.forward = functools.partial(host.forward_intermediates, intermediates_only=True)
    with pytest.raises(InsertionError, match='has one of its own'):
        attn_plugins.plug(host, [dict(cfg=SE, position='level_output')])


def test_layers_that_were_put_in_under_inference_mode_can_be_trained():
    model = torchvision.models.resnet18(num_classes=3)
    with torch.inference_mode():
        attn_plugins.plug(model, [dict(cfg=SE, position='after_conv2')])
    model(torch.randn(2, 3, 32, 32)).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.parametrize(
    'entry, message',
    [
        (dict(cfg=SE, after=[]), r'after=\[\] must be a name or a glob'),
        (dict(cfg=dict(SE, postfix='.2'), after='layer1'), "postfix='.2' becomes a part of a name"),
        (dict(cfg=dict(type=5), after='layer1'), 'type=5 in the cfg must be a name or a class'),
        (dict(cfg=dict(type=nn.Conv2d(3, 3, 1)), after='layer1'), 'in the cfg must be a name or a class'),
        (dict(cfg=dict(type=''), after='layer1'), 'must be a name or a class|needs a type'),
        (dict(cfg=dict(type=nn.ReLU), after='layer1'), "unexpected keyword argument 'in_channels'"),
        (
            dict(cfg=dict(SE, in_channels='64'), after='layer1'),
            "in_channels='64' in the cfg must be a number",
        ),
        (dict(cfg=SE, after='nothing'), 'the nearest of 67 are '),
    ],
)
def test_entries_that_cannot_work(entry, message):
    with pytest.raises(InsertionError, match=message) as caught:
        attn_plugins.plug(torchvision.models.resnet18(), [entry])
    assert '\n' not in str(caught.value) and len(str(caught.value)) < 1500


def test_a_postfix_of_none_is_none_and_two_globs_for_one_place_are_one():
    model = torchvision.models.resnet18()
    attn_plugins.plug(model, [dict(cfg=dict(SE, postfix=None), after=['layer1', 'layer1.1', 'layer2'])])
    assert list(inserted_layers(model)) == ['layer1.1.attn_se', 'layer2.1.attn_se']


@pytest.mark.parametrize(
    'host, message',
    [
        (
            dict(type='ResNet', depth=18),
            "must be a type, with its options beside it: host='ResNet', depth=50",
        ),
        (nn.Identity(), 'this one is built: use attn_plugins.plug'),
        (None, 'must be a type'),
        (5, 'must be a type'),
    ],
)
def test_hosts_that_are_no_types(host, message):
    with pytest.raises(InsertionError, match=message):
        attn_plugins.Plugged(host=host)
    with pytest.raises(InsertionError, match='plug takes a model that is built'):
        attn_plugins.plug('resnet', [])
    with pytest.raises(InsertionError, match="no option 'strict_plugin': did you mean strict_plugins"):
        attn_plugins.Plugged(host='mmdet.ResNet', depth=18, strict_plugin=True)


@pytest.mark.parametrize('name', ['fasterrcnn_mobilenet_v3_large_fpn', 'retinanet_resnet50_fpn'])
def test_a_whole_detector_of_torchvision_that_scales_its_images(name):
    """Both images of the look have one height behind its transform: the maps are maps nevertheless."""
    make = getattr(torchvision.models.detection, name)
    model = make(weights=None, weights_backbone=None, num_classes=3)
    attn_plugins.plug(model, [dict(cfg=SE, after='backbone.body.*')])
    layers = attn_plugins.inserted_layers(model)
    model.eval()
    seen = {}
    for key, layer in layers.items():
        layer.register_forward_hook(lambda layer, args, _, key=key: seen.update({key: args[0].shape[1]}))
    model.transform.min_size, model.transform.max_size = (64,), 128
    with torch.no_grad():
        model([torch.rand(3, 64, 96)])
    assert len(layers) > 4 and seen == {key: layer.in_channels for key, layer in layers.items()}


def test_tokens_are_still_no_map():
    """(N, heads, tokens, dim): the last axis stays, and is no width."""

    class Heads(nn.Module):
        def __init__(self):
            super().__init__()
            self.split, self.norm = nn.Conv2d(3, 8, 16, 16), nn.Identity()

        def forward(self, x):
            return self.norm(self.split(x).flatten(2).unflatten(1, (2, 4)).transpose(2, 3)).sum()

    with pytest.raises(attn_plugins.InsertionError, match='which is no map'):
        attn_plugins.plug(Heads(), [dict(cfg=SE, after='norm')])
