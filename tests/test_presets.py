"""Every preset in every kind of leaf: it builds, runs and trains, and stands where the layer was published."""

from functools import cache
from pathlib import Path

import pytest
import torch
import yaml
from mmengine.registry import MODELS

import attn_plugins
import attn_plugins.layers
from attn_plugins.benchmark.plan import plan_suite
from attn_plugins.benchmark.suite import read_suite
from attn_plugins.layers.place import place_of, plugins_of
from attn_plugins.training.config import load_config
from attn_plugins.training.library import build_model
from attn_plugins.training.presets import preset_names

ROOT = Path(__file__).resolve().parent.parent
PRESETS = preset_names(ROOT / 'configs' / '_base_' / 'attention')
R50 = 'configs/resnet/resnet50_8xb32_in1k.py'
# One leaf for each host, with options that make a step quick: depth and places stay.
LEAVES = {
    R50: {
        'model.backbone.base_channels': 16,
        'model.backbone.stem_channels': 16,
        'model.head.in_channels': 512,
    },
    'configs/resnet/resnet18_digitscenes.py': {},
    'configs/mobilenetv2/mobilenetv2_digitscenes.py': {},
    'configs/deeplabv3/deeplabv3_r18_digitscenes.py': {},
    'configs/deeplabv3/deeplabv3_mobilenetv2_digitscenes.py': {},
}


def layer_types(value) -> set[str]:
    """Every `type` of this package in a preset."""
    if isinstance(value, dict):
        own = {value['type']} if str(value.get('type', '')).startswith('attn_plugins.') else set()
        return own.union(*(layer_types(child) for child in value.values()))
    return set().union(*map(layer_types, value)) if isinstance(value, (list, tuple)) else set()


@cache
def preset(name: str):
    return load_config(ROOT / R50, attention=name).attention


def tensors(value) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    return [tensor for child in value for tensor in tensors(child)]


def test_every_layer_has_a_preset():
    names = {name for name in PRESETS if layer_types(preset(name))}
    assert set(PRESETS) - names == {'none'}
    assert set().union(*(layer_types(preset(name)) for name in names)) == {
        f'attn_plugins.{name}' for name in attn_plugins.layers.__all__
    }


@pytest.mark.parametrize('name', PRESETS)
def test_a_preset_is_short_and_says_what_it_is(name):
    lines = (ROOT / 'configs/_base_/attention' / f'{name}.py').read_text().splitlines()
    assert lines[0].startswith('# ') and len(lines) <= 16 and max(map(len, lines)) <= 125


def kind_of(name: str) -> str:
    """How a preset is put in, its layers apart: the words of its entries, for every class of host that it names."""
    return str(without_layers(load_config(ROOT / R50, attention=name).attention))


def without_layers(entries):
    if isinstance(entries, dict):
        return {key: without_layers(value) for key, value in sorted(entries.items()) if key != 'cfg'}
    return [*map(without_layers, entries)] if isinstance(entries, (list, tuple)) else entries


# Every preset in the ResNet-50, one of each kind in every other host, and the one that is refused there.
CASES = [(R50, name) for name in PRESETS] + [
    (leaf, name)
    for leaf in LEAVES
    if leaf != R50
    for name in sorted({*{kind_of(name): name for name in reversed(PRESETS)}.values(), 'se_r24'})
]


@pytest.mark.parametrize('leaf, name', CASES)
def test_every_preset_runs_and_trains_in_every_host(leaf, name):
    cfg = load_config(ROOT / leaf, name, LEAVES[leaf])
    if name == 'se_r24' and '18' in leaf:  # its first stage has 16 channels
        with pytest.raises(attn_plugins.InsertionError, match='choose a reduction of at most 16'):
            build_model(cfg)
        return
    model = build_model(cfg).train()
    layers = attn_plugins.inserted_layers(model)
    assert {f'attn_plugins.{type(layer).__name__}' for layer in layers.values()} == layer_types(preset(name))
    maps = tensors(model(torch.randn(2, 3, 48, 32), mode='tensor'))
    sum(x.square().mean() for x in maps).backward()
    for key, layer in layers.items():
        assert all(p.grad is not None and p.grad.isfinite().all() for p in layer.parameters()), key


# Presets that say why they have other shapes than the layer by itself: in their names, or in their first lines.
OTHER_SHAPES = {'cbam_r12', 'se_r12', 'se_r24', 'channel_attention', 'dia', 'eca', 'non_local'}


def shapes(layer: torch.nn.Module) -> dict[str, torch.Size]:
    return {key: value.shape for key, value in layer.state_dict().items()}


# Control -> the preset that it is the control of.
CONTROLS = {name: name.rpartition('_')[0] for name in PRESETS if name.endswith(('_mean', '_shuffled'))}
# iebn_all goes by the paper's words, and its layer's place by the authors' code.
AS_PUBLISHED = {
    name: layer
    for name in PRESETS
    if name not in CONTROLS and name != 'iebn_all'
    for layer in (getattr(attn_plugins.layers, kind.split('.')[-1]) for kind in layer_types(preset(name)))
    if place_of(layer).host['type'] in ('ResNet', 'ResNeXt')
}


@pytest.mark.parametrize('name', AS_PUBLISHED)
def test_in_a_resnet_the_layers_stand_where_they_were_published(name):
    backbone = load_config(ROOT / R50, name, LEAVES[R50]).model.backbone
    published = dict(
        type='attn_plugins.Plugged', host='mmpretrain.ResNet', depth=50, base_channels=16, stem_channels=16
    )
    models = [
        MODELS.build(cfg) for cfg in (backbone, dict(published, plugins=plugins_of(AS_PUBLISHED[name])))
    ]
    ours, theirs = (attn_plugins.inserted_layers(model) for model in models)
    assert set(ours) == set(theirs) and ours
    # The layer's own defaults are the published ones, so a preset that says them must say the same.
    same = all(shapes(layer) == shapes(theirs[key]) for key, layer in ours.items())
    assert same == (name not in OTHER_SHAPES)


@pytest.mark.parametrize('name', CONTROLS)
def test_a_control_stands_where_its_layer_does(name):
    """With as many parameters."""
    places, counts = [], []
    for each in (name, CONTROLS[name]):
        model = MODELS.build(load_config(ROOT / R50, each, LEAVES[R50]).model.backbone)
        layers = attn_plugins.inserted_layers(model)
        kind = next(iter(layers.values()))._abbr_
        places.append({key.removesuffix(kind) for key in layers})
        counts.append(sum(p.numel() for p in model.parameters()))
    assert places[0] == places[1] and counts[0] == counts[1]


def test_all_presets_stand_in_one_suite(tmp_path):
    """On a ResNet and on a MobileNetV2; the model of each run is another one."""
    leaves = ('resnet/resnet18_digitscenes', 'mobilenetv2/mobilenetv2_digitscenes')
    configs = {leaf.split('/')[0]: dict(config=str(ROOT / 'configs' / f'{leaf}.py')) for leaf in leaves}
    path = tmp_path / 'all.yml'
    path.write_text(yaml.safe_dump(dict(name='all', seeds=[0], presets=PRESETS, configs=configs)))
    plans = plan_suite(read_suite(path, tmp_path / 'runs'), devices=1)
    backbones = {run.name: str(plan.cfg.model.backbone) for run, plan in plans.items()}
    assert len(backbones) == len(set(backbones.values())) == 2 * len(PRESETS)
