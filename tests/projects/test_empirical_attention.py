"""The empirical study of spatial attention: its suite plans, is counted and stands where mmdet's configs do; the 16
settings.
"""

import dataclasses
import json
from functools import cache
from pathlib import Path

import mmdet
import pytest
import torch
import yaml
from mmengine.config import Config
from mmengine.registry import MODELS

from attn_plugins import inserted_layers
from attn_plugins.benchmark.plan import plan_suite
from attn_plugins.benchmark.suite import read_suite
from attn_plugins.ops.relative_position import visible_keys
from attn_plugins.training.config import load_config

ROOT = Path(__file__).resolve().parents[2]
PROJECT = ROOT / 'projects' / 'empirical_attention'
COUNTED = json.loads((PROJECT / 'counted.json').read_text())
SETTINGS = [f'{bits:04b}' for bits in range(16)]
FASTER = ('faster-rcnn', 'faster-rcnn deformable')
# What modules in every block of the last two stages of ResNet-50 add, 8 heads, from the study's formulas.
ADDED = {
    2_362_377: ['0000'],
    3_545_097: ['0001', '0010'],
    4_727_817: ['0011'],
    4_721_673: ['0100', '1000'],
    4_724_745: ['0101', '1010'],
    5_904_393: ['0110', '1001', '1101', '1110'],
    5_901_321: ['1100'],
    5_907_465: ['0111', '1011', '1111'],
}


@cache
def suite(name: str):
    """A suite with the first of its seeds alone: the others differ in nothing else."""
    whole = read_suite(PROJECT / 'suites' / f'{name}.yml')
    return dataclasses.replace(whole, runs=tuple(run for run in whole.runs if run.seed == 0))


@cache
def runs() -> dict:
    return {
        f'{name}/{run.config_key}/{run.preset_name}': run
        for name in ('digitscenes', 'study')
        for run in suite(name).runs
    }


def config_of(name: str) -> Config:
    run = runs()[f'study/{name}']
    return load_config(run.config, run.preset, run.cfg_options or None)


@cache
def backbone(name: str) -> torch.nn.Module:
    """Of a run of the study, its shapes alone."""
    with torch.device('meta'):
        return MODELS.build(config_of(name).model.backbone)


def parameters(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_every_run_is_counted_and_nothing_else():
    assert set(COUNTED) == set(runs())


@pytest.mark.parametrize('config', FASTER)
@pytest.mark.parametrize('added, setting', [(n, name) for n, names in ADDED.items() for name in names])
def test_each_setting_adds_what_the_formulas_say(added, setting, config):
    names = [f'{config}/{preset}' for preset in (setting, 'none')]
    built, plain = map(backbone, names)
    counted, of_plain = (COUNTED[f'study/{name}']['parameters'] for name in names)
    assert parameters(built) - parameters(plain) == counted - of_plain == added


def test_no_setting_is_left_out():
    assert sorted(sum(ADDED.values(), [])) == SETTINGS
    for config in (*FASTER, 'cityscapes'):
        assert {f'study/{config}/{setting}' for setting in SETTINGS} < set(runs())


@pytest.mark.parametrize('setting', ['0010', '1111'])
@pytest.mark.parametrize('config', FASTER)
def test_places_strides_and_heads_are_mmdets(setting, config):
    """mmdet's own config builds the same parameters, and weights of the one are the other's."""
    dcn = '-dcn' if config.endswith('deformable') else ''
    folder = Path(mmdet.__file__).parent / '.mim' / 'configs' / 'empirical_attention'
    theirs = Config.fromfile(folder / f'faster-rcnn_r50-attn{setting}{dcn}_fpn_1x_coco.py').model.backbone
    ours = backbone(f'{config}/{setting}')
    with torch.device('meta'):
        theirs = MODELS.build(dict(theirs, type='mmdet.ResNet', init_cfg=None))
    assert parameters(ours) == parameters(theirs)
    layers = inserted_layers(ours)
    assert [name.split('.conv')[0] for name in layers] == [
        name.rpartition('.')[0]
        for name, module in theirs.named_modules()
        if type(module).__name__ == 'GeneralizedAttention'
    ]
    of_theirs = [m for m in theirs.modules() if type(m).__name__ == 'GeneralizedAttention']
    for layer, module in zip(layers.values(), of_theirs, strict=True):
        for name in ('num_heads', 'kv_stride', 'q_stride', 'spatial_range', 'position_magnitude'):
            assert getattr(layer, name) == getattr(module, name), name


def test_deformable_convolutions_start_as_plain_ones_of_the_last_three_stages():
    """With zero offsets a place reads its own neighbours; the layer after it starts as the identity."""
    options = dict(base_channels=16, stem_channels=16)
    cfgs = [config_of(f'{config}/0010').model.backbone for config in FASTER]
    plain, deformable = [MODELS.build(dict(cfg, **options)) for cfg in cfgs]
    deformable.init_weights()
    missing = deformable.load_state_dict(plain.state_dict(), strict=False).missing_keys
    convs = [
        name for name, module in deformable.named_modules() if type(module).__name__ == 'DeformConv2dPack'
    ]
    assert convs == [f'layer{s}.{b}.conv2' for s, n in ((2, 4), (3, 6), (4, 3)) for b in range(n)]
    assert set(missing) == {f'{conv}.conv_offset.{key}' for conv in convs for key in ('weight', 'bias')}
    x = torch.randn(1, 3, 96, 128)
    plain.train(False)
    deformable.train(False)
    with torch.no_grad():
        for ours, theirs in zip(deformable(x), plain(x), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    deformable.train()
    deformable(x)[-1].square().mean().backward()
    for conv in convs:
        assert deformable.get_submodule(f'{conv}.conv_offset').weight.grad.any(), conv


@pytest.mark.parametrize('preset, seen', [('0100_r0', 2), ('0100_r1', 4)])
def test_windows_lie_around_the_three_places_of_dynamic_convolution(preset, seen):
    """No range sees three keys where every place is one: the suite has the one below and the one above."""
    convs = {
        type(layer).__name__: layer
        for layer in inserted_layers(backbone('faster-rcnn/dynamic_conv')).values()
    }
    assert convs.keys() == {'DynamicConv'} and convs['DynamicConv'].kernel_size == (3, 3)
    (layer, *_) = inserted_layers(backbone(f'faster-rcnn/{preset}')).values()
    keys = visible_keys(20, 1, 20, layer.kv_stride, layer.spatial_range, 'cpu').sum(1)
    assert layer.attention_type == '0100' and set(keys[5:-5].tolist()) == {seen}
    assert 3 not in {int(visible_keys(20, 1, 20, 1, reach, 'cpu').sum(1)[10]) for reach in range(5)}


def test_dynamic_convolution_stands_where_the_attention_does():
    names = [
        [name.split('.conv')[0] for name in inserted_layers(backbone(f'faster-rcnn/{preset}'))]
        for preset in ('dynamic_conv', '0100_r1')
    ]
    assert names[0] == names[1] and len(names[0]) == 9


def test_the_heads_of_cityscapes_have_the_attention_between_their_convolutions():
    criss_cross, non_local = [
        MODELS.build(config_of(f'cityscapes/{name}').model.decode_head)
        for name in ('criss_cross_head', 'non_local_head')
    ]
    assert [type(layer).__name__ for layer in inserted_layers(criss_cross).values()] == ['CrissCross']
    assert type(criss_cross).__name__ == 'CCHead' and criss_cross.recurrence == 2
    assert type(non_local).__name__ == 'NLHead'
    assert config_of('cityscapes/0010').model.decode_head.type == 'FCNHead'


@pytest.mark.parametrize('name', ['digitscenes', 'study'])
def test_suites_run_as_their_configs_say_on_eight_devices(name):
    plans = plan_suite(suite(name), devices=8)
    assert [plan.note for plan in plans.values() if plan.note] == []


def test_every_published_row_is_a_run_and_names_its_source():
    known = yaml.safe_load((PROJECT / 'published.yml').read_text())
    for row in known['rows']:
        assert f'{row["suite"]}/{row["config"]}/{row["preset"]}' in runs(), row
        assert row['source'] in known['sources']
    assert [(row['config'], row['preset']) for row in known['rows'] if row.get('highlighted')] == [
        ('faster-rcnn deformable', '0010')
    ]


def test_published_numbers_are_those_of_the_installed_mmdet():
    """Of the four configs that mmdet has of the study."""
    folder = Path(mmdet.__file__).parent / '.mim' / 'configs' / 'empirical_attention'
    theirs = {
        Path(model['Config']).stem: (
            model['Results'][0]['Metrics']['box AP'],
            model['Metadata']['Training Memory (GB)'],
            model['Metadata']['inference time (ms/im)'][0]['value'],
        )
        for model in yaml.safe_load((folder / 'metafile.yml').read_text())['Models']
    }
    rows = yaml.safe_load((PROJECT / 'published.yml').read_text())['rows']
    ours = {
        f'faster-rcnn_r50-attn{row["preset"]}{"-dcn" * row["config"].endswith("deformable")}_fpn_1x_coco': (
            row['published'],
            row['memory'],
            row['latency'],
        )
        for row in rows
        if row['source'] == 'mmdet'
    }
    assert ours == theirs
