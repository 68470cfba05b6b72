"""The four ways in: position, globs, replacement, norms; and every mistake a user can make with them."""

import pytest
import torch
from mmengine.registry import MODELS, DefaultScope
from torch.nn.modules.batchnorm import _BatchNorm

from attn_plugins import InsertionError, Plugged, inserted_layers
from attn_plugins.insertion import Plug
from tests.insertion.hosts import CA, HOSTS, IEBN, SE, forward, plain

ECA = dict(type='attn_plugins.ECA')
R18, R50, MBV2 = 'mmpretrain ResNet-18', 'mmpretrain ResNet-50', 'mmpretrain MobileNetV2'


def put(name: str, *entries: dict, **options) -> torch.nn.Module:
    host, defaults, *_ = HOSTS[name]
    return MODELS.build(
        dict(type='attn_plugins.Plugged', host=host, plugins=list(entries), **defaults, **options)
    )


def seen(model: torch.nn.Module, name: str, layer: str) -> tuple[torch.Tensor, ...]:
    """The input that a layer sees in one forward."""
    inputs = []
    handle = inserted_layers(model)[layer].register_forward_pre_hook(
        lambda module, args: inputs.append(args[0])
    )
    model.eval()
    forward(name, model)
    handle.remove()
    return inputs[0]


@pytest.mark.parametrize(
    'position, channels, nonnegative',
    [
        ('after_conv1', 8, True),
        ('after_conv2', 8, True),
        ('after_conv3', 32, False),
        ('block_output', 32, True),
    ],
)
def test_positions_of_a_bottleneck(position, channels, nonnegative):
    """after_conv1 and after_conv2 come after norm and ReLU; after_conv3 after the norm and before the addition."""
    model = put(R50, dict(cfg=ECA, position=position))
    x = seen(model, R50, next(iter(inserted_layers(model))))
    assert x.shape[1] == channels
    assert (x.min() >= 0) == nonnegative


def test_after_conv3_comes_before_the_addition():
    model = put(R50, dict(cfg=ECA, position='after_conv3'))
    block, outputs = model.layer1[1], {}
    block.bn3.register_forward_hook(lambda module, args, output: outputs.update(branch=output.clone()))
    block.register_forward_hook(lambda module, args, output: outputs.update(block=output, x=args[0]))
    model.eval()
    forward(R50, model)
    torch.testing.assert_close(outputs['block'], torch.relu(outputs['x'] + outputs['branch']))


@pytest.mark.parametrize('name', ['mmdet MobileNetV2', 'mmseg MobileNetV2', MBV2, 'mmpretrain EfficientNet'])
def test_positions_of_an_inverted_residual(name):
    for position, relu6 in (('after_expand', True), ('after_depthwise', True), ('after_linear', False)):
        # The first block of MobileNetV2 and of EfficientNet-b0 has no expansion.
        stages = (
            (False,) + (True,) * (4 if 'Efficient' in name else 6) if position == 'after_expand' else None
        )
        model = put(name, dict(cfg=ECA, position=position, stages=stages))
        layers = inserted_layers(model)
        assert len(layers) == HOSTS[name][3] - (position == 'after_expand')
        x = seen(model, name, list(layers)[3])
        assert (x.min() < 0) != relu6 or 'Efficient' in name


def test_positions_of_an_fpn():
    for position, kind in (('lateral_output', 'lateral_convs'), ('fpn_output', 'fpn_convs')):
        model = put('mmdet FPN', dict(cfg=CA, position=position, stages=(False, True)))
        assert list(inserted_layers(model)) == [f'{kind}.1.attn_ca']
        assert forward('mmdet FPN', model).shape[1] == 16


def test_stages_choose_blocks():
    model = put(
        MBV2, dict(cfg=CA, position='after_depthwise', stages=(False, True, False, False, False, False, True))
    )
    assert {name.split('.')[0] for name in inserted_layers(model)} == {'layer2', 'layer7'}
    model = put(MBV2, dict(cfg=CA, position='after_depthwise', stages=(True, (False, True)) + (False,) * 5))
    assert list(inserted_layers(model)) == ['layer1.0.conv.0.attn_ca', 'layer2.1.conv.1.attn_ca']


def test_globs():
    model = put(
        R18,
        dict(cfg=CA, after='layer3.*.conv2'),
        dict(cfg=ECA, before='**.conv1'),
        dict(cfg=SE, after='layer4'),
    )
    assert sorted(inserted_layers(model)) == sorted(
        ['layer3.0.conv2.attn_ca', 'layer3.1.conv2.attn_ca', 'layer4.1.attn_se']
        + [f'layer{i}.{j}.conv1.attn_eca' for i in (1, 2, 3, 4) for j in (0, 1)]
        + ['conv1.attn_eca']
    )
    forward(R18, model).sum().backward()


def test_replacement_takes_the_hosts_module_out():
    name = 'mmpretrain EfficientNet'
    model = put(name, dict(cfg=CA, replace='**.se'))
    host = plain(name)
    assert not any(type(m).__name__ == 'SELayer' for m in model.modules())
    assert len(inserted_layers(model)) == sum(type(m).__name__ == 'SELayer' for m in host.modules()) == 16
    left = {key for key in host.state_dict() if '.se.' not in key}
    assert left < set(model.state_dict()) and not any('.se.conv' in key for key in model.state_dict())
    forward(name, model).sum().backward()


def test_efficientnet_with_ca_in_place_of_se_has_the_papers_size():
    """5.4 M of the paper's table; the count of the structure is 5,381,804 with the classifier of 1000 classes."""
    model = MODELS.build(
        dict(
            type='attn_plugins.Plugged',
            host='mmpretrain.EfficientNet',
            arch='b0',
            plugins=[dict(cfg=dict(CA, reduction=32), replace='**.se')],
        )
    )
    assert sum(p.numel() for p in model.parameters()) + 1280 * 1000 + 1000 == 5_381_804


def test_norms_main_all_and_glob():
    shortcuts = {'layer1.0.downsample.1'}
    for which in ('main', 'all', 'layer4.**'):
        model = put(R50, dict(cfg=IEBN, norm=which))
        names = set(inserted_layers(model))
        batch_norms = {name for name, m in plain(R50).named_modules() if isinstance(m, _BatchNorm)}
        if which == 'main':
            assert names == {name for name in batch_norms if 'downsample' not in name}
        elif which == 'all':
            assert names == batch_norms and shortcuts <= names
        else:
            assert names == {name for name in batch_norms if name.startswith('layer4')}


def test_iebn_keeps_the_norm_of_the_host():
    """Its eps, momentum and kind, as SyncBN."""
    host, defaults, *_ = HOSTS[MBV2]
    norm_cfg = dict(type='SyncBN', eps=1e-3, momentum=0.03)
    model = put(MBV2, dict(cfg=IEBN, norm='all'), norm_cfg=norm_cfg)
    for layer in inserted_layers(model).values():
        assert (
            isinstance(layer.bn, torch.nn.SyncBatchNorm) and layer.bn.eps == 1e-3 and layer.momentum == 0.03
        )


@pytest.mark.parametrize(
    'place', [dict(position='after_conv3'), dict(position='after_conv2'), dict(after='**.conv2')]
)
def test_several_layers_at_one_place_run_in_order(place):
    model = put(
        R50,
        dict(cfg=SE if 'position' in place and place['position'] == 'after_conv3' else ECA, **place),
        dict(cfg=CA, **place),
        dict(cfg=dict(CA, postfix='_2'), **place),
    )
    block, order = next(name for name in inserted_layers(model)).rsplit('.', 1)[0], []
    layers = {name: layer for name, layer in inserted_layers(model).items() if name.startswith(block + '.')}
    assert len(layers) == 3
    for name, layer in layers.items():
        layer.register_forward_hook(lambda *_, name=name: order.append(name.rsplit('.')[-1]))
    model.eval()
    forward(R50, model)
    assert order in (['attn_se', 'attn_ca', 'attn_ca_2'], ['attn_eca', 'attn_ca', 'attn_ca_2'])
    host = plain(R50)
    assert set(host.state_dict()) < set(model.state_dict())
    assert model.load_state_dict(model.state_dict())


def test_one_layer_for_all_blocks_of_a_stage():
    model = put(R50, dict(cfg=SE, position='after_conv3', share='stage'))
    assert list(inserted_layers(model)) == [f'layer{stage}.0.bn3.attn_se' for stage in (1, 2, 3, 4)]
    assert all(block.bn3.attn_layer is model.layer2[0].bn3.attn_layer for block in model.layer2)
    order = []
    model.layer2[0].bn3.attn_layer.register_forward_hook(lambda *_: order.append('called'))
    forward(R50, model)
    assert len(order) == 4


def test_a_whole_model_and_a_head():
    classifier = dict(
        type='attn_plugins.Plugged',
        host='mmpretrain.ImageClassifier',
        backbone=dict(type='mmpretrain.ResNet', depth=18, base_channels=16, stem_channels=16),
        neck=dict(type='mmpretrain.GlobalAveragePooling'),
        head=dict(type='mmpretrain.LinearClsHead', num_classes=3, in_channels=128),
        plugins=[dict(cfg=CA, after='backbone.layer4'), dict(cfg=SE, position='after_conv2')],
    )
    model = MODELS.build(classifier)
    assert type(model).__name__ == 'ImageClassifier' and len(inserted_layers(model)) == 9
    assert model(torch.randn(2, 3, 32, 32), mode='tensor').shape == (2, 3)
    head = MODELS.build(
        dict(
            type='attn_plugins.Plugged',
            host='mmseg.FCNHead',
            in_channels=16,
            channels=8,
            num_convs=1,
            num_classes=3,
            plugins=[dict(cfg=CA, after='convs.*'), dict(cfg=ECA, before='conv_seg')],
        )
    )
    assert head((torch.randn(2, 16, 8, 6),)).shape == (2, 3, 8, 6)


def test_native_plugins_and_norm_cfg_work_without_plugged():
    """The contract of the layers is mmcv's, in mmdet's and mmseg's own `plugins=` and in every `norm_cfg=`."""
    for scope in ('mmdet', 'mmseg'):
        model = MODELS.build(
            dict(
                type=f'{scope}.ResNet',
                depth=50,
                base_channels=8,
                stem_channels=8,
                plugins=[
                    dict(
                        cfg=dict(SE, postfix='_1'), stages=(False, True, True, True), position='after_conv3'
                    ),
                    dict(cfg=CA, position='after_conv2'),
                ],
            )
        )
        assert len(inserted_layers(model)) == 13 + 16
        assert 'layer2.0.attn_se_1.excitation.fc1.weight' in model.state_dict()
        forward('mmdet ResNet-50', model).sum().backward()
    for scope in ('mmdet', 'mmseg', 'mmpretrain'):
        model = MODELS.build(dict(type=f'{scope}.ResNet', depth=50, norm_cfg=dict(IEBN, requires_grad=False)))
        model.train()
        batch_norms = sum(isinstance(m, _BatchNorm) for m in model.modules())
        assert len(inserted_layers(model)) == batch_norms
        assert 'layer1.0.bn1.running_mean' in model.state_dict()
        assert not any(p.requires_grad for p in model.layer2[0].bn1.parameters())


@pytest.mark.parametrize('scope', ['mmdet', 'mmseg', 'mmpretrain'])
def test_the_host_is_looked_up_in_the_current_scope(scope):
    with DefaultScope.overwrite_default_scope(scope):
        model = MODELS.build(
            dict(
                type='attn_plugins.Plugged',
                host='MobileNetV2',
                widen_factor=0.25,
                plugins=[dict(cfg=CA, position='after_depthwise')],
            )
        )
        assert type(model).__module__.startswith(scope)
        assert MODELS.build(dict(SE, in_channels=16)) is not None


def test_norms_of_some_stages():
    """Without stem and head: frozen stages are left out."""
    model = put(R50, dict(cfg=IEBN, norm='main', stages=(False, True, False, True)))
    assert {name.split('.')[0] for name in inserted_layers(model)} == {'layer2', 'layer4'}
    assert not any('downsample' in name for name in inserted_layers(model))


def test_norms_inside_other_layers_stay():
    """SKConv holds batch norms of its own, which are not the host's."""
    model = put(
        R50, dict(cfg=dict(type='attn_plugins.SKConv'), replace='layer1.*.conv2'), dict(cfg=IEBN, norm='all')
    )
    norms = {name for name, layer in inserted_layers(model).items() if type(layer).__name__ == 'IEBN'}
    batch_norms = {name for name, module in plain(R50).named_modules() if isinstance(module, _BatchNorm)}
    assert norms == batch_norms
    forward(R50, model).sum().backward()


def test_norm_layers_go_around_each_other():
    """NoisyBN exists to attack IEBN: the gate sees the input, the noise is on the normalised values."""
    noisy = dict(type='attn_plugins.NoisyBN', na=0.8, nb=0.3, at_test=True)
    model = put(R18, dict(cfg=noisy, norm='main'), dict(cfg=IEBN, norm='main'))
    layers = inserted_layers(model)
    assert type(layers['bn1']).__name__ == 'IEBN' and type(layers['bn1.bn']).__name__ == 'NoisyBN'
    assert set(put(R18, dict(cfg=IEBN, norm='main')).state_dict()) == set(model.state_dict())
    norm = model.double().layer1[0].bn1
    x = torch.randn(2, 16, 5, 5, dtype=torch.float64)
    for module in norm.modules():
        for parameter in module.parameters(recurse=False):
            torch.nn.init.normal_(parameter)
    norm.train()
    x_hat = (x - x.mean((0, 2, 3), True)) / (
        x.var((0, 2, 3), unbiased=False, keepdim=True) + norm.bn.bn.eps
    ).sqrt()
    weight, bias = norm.weight[:, None, None], norm.bias[:, None, None]
    gate = torch.sigmoid(norm.gate_weight * x.mean((2, 3)) + norm.gate_bias)[:, :, None, None]
    torch.testing.assert_close(norm(x), weight * gate * (0.8 * x_hat + 0.3) + bias)
    model.train()
    forward(R18, model).sum().backward()
    with pytest.raises(InsertionError, match='at bn1: there is a IEBN already'):
        put(R18, dict(cfg=IEBN, norm='main'), dict(cfg=IEBN, norm='main'))


def test_two_layers_never_share_a_key():
    """Whatever the order of the entries, and without parameters too."""
    after, before = dict(cfg=SE, after='layer1.*.conv2'), dict(cfg=SE, before='layer1.*.conv2')
    simam = dict(cfg=dict(type='attn_plugins.SimAM'), after='layer1.*.conv2')
    for entries in (
        [after, before],
        [before, after],
        [simam, simam],
        [dict(cfg=SE, position='after_conv1'), before],
    ):
        with pytest.raises(InsertionError, match='already: give the second one a postfix'):
            put(R50, *entries)
    model = put(R50, after, dict(before, cfg=dict(SE, postfix='_before')))
    assert len(inserted_layers(model)) == 6
    assert len(set(model.state_dict())) == len(plain(R50).state_dict()) + 6 * 4


def test_configs_of_the_new_style():
    """Classes and functions in place of names."""
    from mmpretrain.models import ResNet

    from attn_plugins.layers import CoordAttention

    options = dict(depth=18, base_channels=16, stem_channels=16)
    for kind in ('attn_plugins.Plugged', Plugged):
        cfg = dict(
            type=kind,
            host=ResNet,
            plugins=[dict(cfg=dict(type=CoordAttention), position='after_conv2')],
            **options,
        )
        assert len(inserted_layers(MODELS.build(cfg))) == 8
    model = put(R18, dict(cfg='attn_plugins.CoordAttention', position='after_conv2'))
    assert len(inserted_layers(model)) == 8
    assert len(inserted_layers(put(R18, dict(cfg=CA, after=['layer1.0.conv1', 'layer2.*.conv2'])))) == 3
    assert not inserted_layers(Plugged(ResNet, None, **options))


MISTAKES = {
    "there is no host 'MobilNetV2': did you mean MobileNetV2": dict(host='MobilNetV2'),
    "MobileNetV2 has no option 'widen_facto': did you mean widen_factor": dict(
        host='MobileNetV2', widen_facto=1.0
    ),
    "there is no model of type 'attn_plugins.CoordAtention': did you mean attn_plugins.CoordAttention": dict(
        plugins=[dict(cfg=dict(type='attn_plugins.CoordAtention'), position='after_depthwise')]
    ),
    "CoordAttention has no option 'reductoin': did you mean reduction": dict(
        plugins=[dict(cfg=dict(CA, reductoin=4), position='after_depthwise')]
    ),
    "no position 'after_depthwse': did you mean after_depthwise": dict(
        plugins=[dict(cfg=CA, position='after_depthwse')]
    ),
    "no position 'after_conv3'": dict(plugins=[dict(cfg=CA, position='after_conv3')]),
    r'has 2 values but MobileNetV2 has 7 stages: layer1, layer2': dict(
        plugins=[dict(cfg=CA, position='after_depthwise', stages=(True, False))]
    ),
    "nothing in MobileNetV2 matches 'layer9.*'": dict(plugins=[dict(cfg=CA, after='layer9.*')]),
    "an entry of plugins has no 'position_': did you mean position": dict(
        plugins=[dict(cfg=CA, position_='x')]
    ),
    'needs exactly one of position=, after=, before= and replace=, but has none': dict(
        plugins=[dict(cfg=CA)]
    ),
    'but has position, after': dict(plugins=[dict(cfg=CA, position='after_depthwise', after='layer1')]),
    'is a norm layer: say which norms it replaces': dict(
        plugins=[dict(cfg=IEBN, position='after_depthwise')]
    ),
    "no batch norm of MobileNetV2 matches norm='layer9.*'": dict(plugins=[dict(cfg=IEBN, norm='layer9.*')]),
    r'at layer1.0.conv.0 \(32 channels\): reduction=64 leaves 0 hidden channels for in_channels=32': dict(
        plugins=[dict(cfg=dict(type='attn_plugins.SE', reduction=64), position='after_depthwise')]
    ),
    'there is a attn_ca already: give the second one a postfix': dict(
        plugins=[dict(cfg=CA, position='after_depthwise'), dict(cfg=CA, position='after_depthwise')]
    ),
    "only share='stage' with position=": dict(plugins=[dict(cfg=CA, after='layer1', share='stage')]),
    r'plugins= is a list of entries, not a dict: write plugins=\[dict\(...\)\]': dict(
        plugins=dict(cfg=CA, position='after_depthwise')
    ),
    'an entry of plugins names its layer under cfg: dict': dict(
        plugins=[dict(CA, position='after_depthwise')]
    ),
    "an entry of plugins needs cfg=, the layer's config": dict(plugins=[dict(position='after_depthwise')]),
    'cfg= of an entry of plugins needs a type': dict(plugins=[dict(cfg={}, position='after_depthwise')]),
    'an entry of plugins is a dict': dict(plugins=['attn_plugins.SE']),
    "SE needs reduction of type int, not '16'": dict(
        plugins=[dict(cfg=dict(type='attn_plugins.SE', reduction='16'), position='after_depthwise')]
    ),
    'stages=True must have True or False for every stage': dict(
        plugins=[dict(cfg=CA, position='after_depthwise', stages=True)]
    ),
    r'stages=\(0, 1, 2, 3, 4, 5, 6\) must have True or False for every stage': dict(
        plugins=[dict(cfg=CA, position='after_depthwise', stages=(0, 1, 2, 3, 4, 5, 6))]
    ),
    'stages= has 3 switches for the blocks of layer1, which has 1': dict(
        plugins=[dict(cfg=CA, position='after_depthwise', stages=((True,) * 3,) + (True,) * 6)]
    ),
    'switches every stage off: give the entry cfg=None': dict(
        plugins=[dict(cfg=CA, position='after_depthwise', stages=(False,) * 7)]
    ),
    'after=None must be|has none': dict(plugins=[dict(cfg=CA, after=None)]),
    r'after=\[3\] must be a name or a glob in quotes': dict(plugins=[dict(cfg=CA, after=[3])]),
    "stages= with the glob after='layer1.*'": dict(
        plugins=[dict(cfg=CA, after='layer1.*', stages=(True,) * 7)]
    ),
    "stages= with the glob norm='layer1.": dict(
        plugins=[dict(cfg=IEBN, norm='layer1.**', stages=(True,) * 7)]
    ),
    "share='stage' with norm=": dict(plugins=[dict(cfg=IEBN, norm='main', share='stage')]),
    "share='stage' with replace=": dict(
        plugins=[dict(cfg=dict(type='attn_plugins.SKConv'), replace='**.conv.1.conv', share='stage')]
    ),
    "IEBN: momentum is the host's batch norm's own": dict(
        plugins=[dict(cfg=dict(IEBN, momentum=0.2), norm='main')]
    ),
    'has no batch norm, which norm= replaces; its norms are GroupNorm': dict(
        norm_cfg=dict(type='GN', num_groups=2), plugins=[dict(cfg=IEBN, norm='main')]
    ),
    r'has no named positions: use after=, before= or replace= with the names of its modules, such as gap': dict(
        host='GlobalAveragePooling', plugins=[dict(cfg=CA, position='after_conv1')]
    ),
    'needs equal channels in a stage': dict(
        plugins=[dict(cfg=CA, position='after_depthwise', share='stage')]
    ),
}


@pytest.mark.parametrize('message', MISTAKES)
def test_mistakes_are_one_sentence_with_the_nearest_choices(message):
    with (
        DefaultScope.overwrite_default_scope('mmpretrain'),
        pytest.raises(InsertionError, match=message) as caught,
    ):
        MODELS.build(dict(type='attn_plugins.Plugged', **{'host': 'MobileNetV2', **MISTAKES[message]}))
    assert '\n' not in str(caught.value)


def test_a_host_without_scope_says_how_to_write_it():
    with pytest.raises(InsertionError, match="write it as 'mmdet.ResNet'"):
        Plugged(host='MobileNetV2')


def test_a_plug_passes_attributes_through():
    model = put(R50, dict(cfg=SE, position='after_conv3'))
    norm = model.layer1[0].norm3
    assert isinstance(norm, Plug) and norm.weight is norm.wrapped.weight and norm.num_features == 32
    with pytest.raises(AttributeError, match='no_such_thing'):
        norm.no_such_thing  # noqa: B018
