"""What a user's checkpoints and results rest on does not change unseen: the keys of every config's weights, the hash
of every suite's run.

A change that is meant is written down by `python -m tests.test_frozen`, and its commit says what users have to do.
"""

import hashlib
import json
from functools import cache
from pathlib import Path

import pytest
from mmengine.config import Config

from attn_plugins.benchmark.plan import plan_suite
from attn_plugins.benchmark.suite import read_suite
from attn_plugins.training.config import leaf_configs, load_config
from attn_plugins.training.library import build_model
from attn_plugins.training.presets import preset_names

ROOT = Path(__file__).resolve().parents[1]
FROZEN = Path(__file__).parent / 'data' / 'frozen.json'
LEAVES = sorted(
    f'configs/{path.parent.name}/{path.name}' for path in leaf_configs() if path.parent.name != 'suites'
)
HOST = 'configs/mobilenetv2/mobilenetv2_digitscenes.py'
PRESETS = preset_names(ROOT / 'configs' / '_base_' / 'attention')
SUITES = sorted(
    str(path.relative_to(ROOT))
    for path in ROOT.glob('*/**/suites/*.yml')
    if path.is_relative_to(ROOT / 'configs') or path.is_relative_to(ROOT / 'projects')
)


def digest(value) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]


def keys_of(cfg: Config) -> str:
    """Of the names and shapes of a model's weights."""
    return digest([[name, list(value.shape)] for name, value in build_model(cfg).state_dict().items()])


def hashes_of(suite: str) -> str:
    """Of the names of a suite's runs and of the hashes of their settings."""
    plans = plan_suite(read_suite(ROOT / suite), devices=1)
    return digest(sorted([run.name, plan.config_hash] for run, plan in plans.items()))


@cache
def frozen() -> dict:
    return json.loads(FROZEN.read_text())


@pytest.fixture(autouse=True)
def in_the_projects_root(monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv('ATTENTION', raising=False)


@pytest.mark.parametrize('leaf', LEAVES)
def test_the_keys_of_a_config(leaf):
    assert keys_of(load_config(ROOT / leaf)) == frozen()['configs'][leaf]


@pytest.mark.parametrize('preset', PRESETS)
def test_the_keys_of_a_preset(preset):
    assert keys_of(load_config(ROOT / HOST, preset)) == frozen()['presets'][preset]


@pytest.mark.parametrize('suite', SUITES)
def test_the_hashes_of_a_suite(suite):
    assert hashes_of(suite) == frozen()['suites'][suite]


def test_nothing_is_left_out():
    assert frozen().keys() == {'configs', 'presets', 'suites'}
    assert [*map(sorted, frozen().values())] == [LEAVES, sorted(PRESETS), SUITES]


if __name__ == '__main__':
    content = dict(
        configs={leaf: keys_of(load_config(ROOT / leaf)) for leaf in LEAVES},
        presets={preset: keys_of(load_config(ROOT / HOST, preset)) for preset in sorted(PRESETS)},
        suites={suite: hashes_of(suite) for suite in SUITES},
    )
    FROZEN.write_text(json.dumps(content, indent=1) + '\n')
