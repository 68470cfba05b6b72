"""With one seed a host starts with the same weights whatever is put into it, and so does all that is built after it."""

import random
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import set_random_seed
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from attn_plugins import inserted_layers, plug
from attn_plugins.layers.conv.base import ConvLike
from attn_plugins.training.config import load_config
from attn_plugins.training.library import prepare
from tests.insertion.families import FAMILIES
from tests.insertion.hosts import CA, HOSTS, IEBN, SE
from tests.insertion.test_host_tables import entry_of

CONFIGS = Path(__file__).parents[2] / 'configs'
PRESETS = sorted(path.stem for path in (CONFIGS / '_base_' / 'attention').glob('*.py'))
NORMAL = dict(type='Normal', layer=['Conv2d', 'Linear'], std=0.02)


def start(build) -> tuple[dict[str, torch.Tensor], float]:
    """The weights of a model that is built and initialised with seed 3, and the number that comes next."""
    set_random_seed(3)
    model = build()
    if hasattr(model, 'init_weights'):
        model.init_weights()
    return {key: value.clone() for key, value in model.state_dict().items()}, float(torch.rand(()))


def assert_shared(plain, plugged, gone: tuple[str, ...] = ()) -> dict[str, torch.Tensor]:
    """Every weight of the plain model is the plugged one's, but for what was replaced; both have drawn equally many
    numbers.
    """
    (ours, ours_next), (theirs, theirs_next) = plugged, plain
    for key, value in theirs.items():
        if not key.startswith(gone):
            assert torch.equal(value, ours[key]), key
    assert ours_next == theirs_next
    return ours


def seen(host: nn.Module) -> list[dict]:
    """An entry of a drawn layer at each kind of place that a host has, and of a norm layer."""
    entries = []
    for position in ('after_conv2', 'block_output', 'stage_output', 'level_output', 'fpn_output'):
        try:
            entry = entry_of(host, position)
            plug(deepcopy(host), [entry])
        except ValueError:
            continue
        entries.append(dict(entry, cfg=dict(SE, postfix=position)))
    norms = [module for module in host.modules() if isinstance(module, _BatchNorm)]
    if norms and not any(hasattr(norm, 'act') for norm in norms):
        entries.append(dict(cfg=IEBN, norm='all'))
    assert entries
    return entries


@pytest.mark.parametrize('name', FAMILIES)
def test_every_family_of_hosts(name):
    family = FAMILIES[name]
    build = (lambda: MODELS.build(dict(family.build))) if isinstance(family.build, dict) else family.build
    entries = seen(family.host())
    for each in [entries, entries[:1]]:
        assert_shared(start(build), start(lambda each=each: plug(build(), each)))


@pytest.mark.parametrize('options', [{}, dict(init_cfg=[NORMAL])], ids=['own', 'given'])
@pytest.mark.parametrize('cfg', ['SKConv', 'DynamicConv'])
@pytest.mark.parametrize('family', ['mmdet ResNet-50', 'mmpretrain ResNet-18', 'mmseg ResNetV1c-50'])
def test_what_a_convolution_replaces_draws_its_numbers_all_the_same(family, cfg, options):
    host, defaults, *_ = HOSTS[family]
    entry = dict(cfg=dict(type=f'attn_plugins.{cfg}'), replace='layer2.*.conv2')

    def build(*plugins):
        return MODELS.build(
            dict(type='attn_plugins.Plugged', host=host, plugins=list(plugins), **defaults, **options)
        )

    gone = tuple(f'layer2.{block}.conv2.' for block in range(4))
    assert_shared(start(build), start(lambda: build(entry)), gone)


def detector(plugins: list, init_cfg: list | None, whole: list | None = None) -> dict:
    """A detector that initialises itself from above, with layers in its backbone and neck, or in the whole of it."""
    small = dict(depth=18, base_channels=8, stem_channels=8, out_indices=(0, 1, 2, 3))
    head = dict(type='mmdet.RetinaHead', num_classes=3, in_channels=8, feat_channels=8, stacked_convs=1)
    return dict(
        type='mmdet.RetinaNet' if whole is None else 'attn_plugins.Plugged',
        **({} if whole is None else dict(host='mmdet.RetinaNet', plugins=whole)),
        backbone=dict(type='attn_plugins.Plugged', host='mmdet.ResNet', plugins=plugins, **small),
        neck=dict(type='mmdet.FPN', in_channels=[8, 16, 32, 64], out_channels=8, num_outs=5),
        bbox_head=head,
        init_cfg=init_cfg,
    )


@pytest.mark.parametrize('init_cfg', [None, [NORMAL]], ids=['parts', 'from above'])
@pytest.mark.parametrize(
    'entries, gone',
    [
        ([dict(cfg=SE, position='after_conv2')], ()),
        ([dict(cfg=CA, position='block_output'), dict(cfg=IEBN, norm='all')], ()),
        (
            [dict(cfg=dict(type='attn_plugins.SKConv'), replace='layer3.0.conv2')],
            ('backbone.layer3.0.conv2.',),
        ),
    ],
    ids=['attention', 'attention and norms', 'convolution'],
)
def test_a_whole_detector(entries, gone, init_cfg):
    plain = start(lambda: MODELS.build(detector([], init_cfg)))
    assert_shared(plain, start(lambda: MODELS.build(detector(entries, init_cfg))), gone)
    within = [dict(cfg=CA, after='neck.fpn_convs.*'), dict(cfg=SE, after='bbox_head.cls_convs.*')]
    assert_shared(plain, start(lambda: MODELS.build(detector(entries, init_cfg, within))), gone)


@pytest.mark.parametrize(
    'config, preset',
    [
        *[('mobilenetv2/mobilenetv2_digitscenes.py', preset) for preset in PRESETS],
        *[('ssdlite/ssdlite_mobilenetv2_digitscenes.py', preset) for preset in ('ca', 'iebn', 'dia')],
        *[('deeplabv3/deeplabv3_mobilenetv2_digitscenes.py', preset) for preset in ('gc', 'sk_conv')],
    ],
)
def test_every_preset(config, preset):
    """By the way of the tools: a config and a preset."""

    def build(attention):
        cfg = load_config(CONFIGS / config, attention=attention)
        prepare(cfg)
        with DefaultScope.overwrite_default_scope(cfg.default_scope):
            return MODELS.build(cfg.model)

    plain = start(lambda: build('none'))
    replaced = [name for name, layer in inserted_layers(build(preset)).items() if isinstance(layer, ConvLike)]
    assert bool(replaced) == (preset in ('aa_conv', 'dynamic_conv', 'sk_conv'))
    assert_shared(
        plain, start(lambda: build(preset)), tuple(f'{name.rpartition(".")[0]}.' for name in replaced)
    )


def test_a_checkpoint_in_the_middle_of_the_initialisation_finds_its_layers(tmp_path):
    """The backbone of a plugged detector is loaded, layers too, and neck and head, drawn after it, are the plain
    one's.
    """
    entries = [dict(cfg=SE, position='after_conv2')]
    trained = MODELS.build(detector(entries, None)).backbone
    for value in trained.state_dict().values():
        if value.is_floating_point():
            value.uniform_(0.5, 1)
    torch.save(trained.state_dict(), tmp_path / 'trained.pth')

    def build(plugins, inner, whole=None):
        cfg = detector(inner, None, whole)
        cfg['backbone']['init_cfg'] = dict(type='Pretrained', checkpoint=str(tmp_path / 'trained.pth'))
        return MODELS.build(cfg)

    plain, plugged = start(lambda: build([], [])), start(lambda: build([], entries))
    whole = start(lambda: build([], entries, [dict(cfg=CA, after='neck.fpn_convs.*')]))
    for each in (plugged, whole):
        ours = assert_shared(plain, each)
        for key, value in trained.state_dict().items():
            assert torch.equal(ours[f'backbone.{key}'], value), key


def test_inserting_moves_no_stream_on():
    model = MODELS.build(detector([], None))
    set_random_seed(5)
    numbers = random.random(), np.random.rand(), float(torch.rand(()))
    set_random_seed(5)
    plug(model, [dict(cfg=SE, after='neck.fpn_convs.*')])
    assert (random.random(), np.random.rand(), float(torch.rand(()))) == numbers


def test_layers_follow_the_seed_the_moment_and_the_place():
    """Two models of one seed, drawn one after the other, have other layers, and so have two places."""

    def drawn(model):
        return {name: next(layer.parameters()).clone() for name, layer in inserted_layers(model).items()}

    def build():
        model = MODELS.build(detector([dict(cfg=SE, position='after_conv2')], None))
        model.init_weights()
        return drawn(model)

    set_random_seed(1)
    one, other = build(), build()
    set_random_seed(1)
    again = build()
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not any(torch.equal(one[name], other[name]) for name in one)
    layer3 = [value for name, value in one.items() if 'layer3' in name]
    assert len(layer3) == 2 and not torch.equal(*layer3)


def test_a_users_own_initialisation_draws_each_layer_anew():
    """Though the host draws nothing between them."""

    def own(module):
        if isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1):
            nn.init.normal_(module.weight)

    def drawn(plugins):
        set_random_seed(2)
        model = plug(nn.Sequential(*[nn.Conv2d(16, 16, 3) for _ in range(4)]), plugins)
        set_random_seed(3)
        model.apply(own)
        return [
            layer.excitation.fc1.weight.flatten() for layer in inserted_layers(model).values()
        ], torch.rand(())

    layers, number = drawn([dict(cfg=SE, after='*')])
    assert len(layers) == 4
    assert all(not torch.equal(one, other) for i, one in enumerate(layers) for other in layers[:i])
    again, next_number = drawn([dict(cfg=SE, after='*')])
    assert all(map(torch.equal, layers, again))
    assert torch.equal(number, drawn([])[1]) and torch.equal(number, next_number)


@pytest.mark.parametrize('conv', ['SKConv', 'DynamicConv'])
def test_a_shared_convolution_that_is_replaced_draws_once(conv):
    """RTMDet's head shares its convolutions over the levels, and goes over all its modules."""

    def build(*plugins):
        return MODELS.build(
            dict(
                type='attn_plugins.Plugged',
                host='mmdet.RTMDetSepBNHead',
                plugins=list(plugins),
                num_classes=3,
                in_channels=16,
                feat_channels=16,
                share_conv=True,
                norm_cfg=dict(type='BN'),
                anchor_generator=dict(type='mmdet.MlvlPointGenerator', offset=0, strides=[8, 16, 32]),
                bbox_coder=dict(type='mmdet.DistancePointBBoxCoder'),
                loss_cls=dict(type='mmdet.QualityFocalLoss', use_sigmoid=True, beta=2.0),
                loss_bbox=dict(type='mmdet.GIoULoss'),
            )
        )

    entry = dict(cfg=dict(type=f'attn_plugins.{conv}'), replace='cls_convs.*.0.conv')
    gone = tuple(f'cls_convs.{level}.0.conv.' for level in range(3))
    assert_shared(start(build), start(lambda: build(entry)), gone)
