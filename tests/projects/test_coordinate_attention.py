"""The project of Coordinate Attention: its suites hold every published row, plan as 8 GPUs would run them, and are
counted.
"""

import dataclasses
import json
import re
from functools import cache
from pathlib import Path

import pytest
import yaml

from attn_plugins.benchmark.plan import plan_suite
from attn_plugins.benchmark.suite import read_suite
from attn_plugins.cost.cost import count_parameters
from attn_plugins.training.config import load_config
from attn_plugins.training.library import build_model

ROOT = Path(__file__).resolve().parents[2]
PROJECT = ROOT / 'projects' / 'coordinate_attention'
SUITES = sorted(path.stem for path in PROJECT.glob('suites/*.yml'))
COUNTED = json.loads((PROJECT / 'counted.json').read_text())


@cache
def suite(name: str):
    """A suite with the first of its seeds alone: the others differ in nothing else."""
    whole = read_suite(PROJECT / 'suites' / f'{name}.yml')
    return dataclasses.replace(whole, runs=tuple(run for run in whole.runs if run.seed == 0))


def runs() -> dict:
    return {f'{name}/{run.config_key}/{run.preset_name}': run for name in SUITES for run in suite(name).runs}


def test_every_run_is_counted_and_nothing_else():
    assert set(COUNTED) == set(runs())


@pytest.mark.parametrize(
    'name',
    [
        'ablations/mobilenetv2/ca_r12',
        'ablations/mobilenext-w0.5/se',
        'ablations/efficientnet-b0/ca',
        'digitscenes/segmentation/cbam',
        'mobilenets/coco-mobilenext/ca_r24',
        'resnet50/imagenet/aa_conv',
        'variants/voc12-d16-separable/none',
    ],
)
def test_what_is_kept_is_what_is_counted(name):
    run = runs()[name]
    model = build_model(load_config(run.config, run.preset, run.cfg_options or None))
    assert COUNTED[name]['parameters'] == count_parameters(model)


@pytest.mark.parametrize('name', SUITES)
def test_suites_run_as_their_configs_say_on_eight_devices(name):
    plans = plan_suite(suite(name), devices=8)
    assert [plan.note for plan in plans.values() if plan.note] == []


def test_every_published_row_of_the_authors_is_a_run_of_a_suite():
    presets = {(str(run.config.resolve().relative_to(ROOT)), run.preset_name) for run in runs().values()}
    for file in yaml.safe_load((ROOT / 'model-index.yml').read_text())['Import']:
        for model in yaml.safe_load((ROOT / file).read_text())['Models']:
            source = (model['Published'] or {}).get('Source', '')
            text = (ROOT / model['Config']).read_text()
            if 'houqb' not in source or 'attention/' not in text:  # comparison backbones take no preset
                continue
            preset = re.search(r'_base_/attention/(\w+|\{\{\$ATTENTION:none\}\})\.py', text)[1]
            plain = re.sub(r'-(se|cbam|ca)_', '_', model['Config'])
            assert (plain, 'none' if '$' in preset else preset) in presets, model['Name']
