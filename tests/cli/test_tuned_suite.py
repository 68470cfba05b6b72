"""A suite of all three tasks that tunes its presets and shares their starts, as a user runs it, on tiny data."""

import json

import pytest
import yaml

from attn_plugins.benchmark.metrics import headline
from attn_plugins.training.shared_start import start_hash
from tests.cli.conftest import CLASSIFICATION, DETECTION, SEGMENTATION

SHORT = {
    'train_dataloader.batch_size': 4,
    'train_cfg.max_epochs': 1,
    'train_cfg.val_interval': 1,
    'param_scheduler': None,
}
TUNE = {'optim_wrapper.optimizer.lr': [0.0001, 0.001]}
CONFIGS = dict(
    classification=dict(config=CLASSIFICATION, presets=['none', 'ca']),
    detection=dict(config=DETECTION, tune=TUNE),
    segmentation=dict(config=SEGMENTATION, tune=TUNE),
)


@pytest.fixture
def finished(workspace):
    """The folder of a suite that has run, and what was shown."""
    configs = {
        key: dict(entry, config=str(entry['config']), cfg_options=SHORT) for key, entry in CONFIGS.items()
    }
    suite = workspace.folder / 'tuned.yml'
    suite.write_text(yaml.safe_dump(dict(name='tuned', seeds=[0], presets=['none'], configs=configs)))
    result = workspace.run('benchmark.py', 'run', suite, '--jobs', '2')
    assert result.returncode == 0, result.stdout + result.stderr
    return workspace.folder / 'work_dirs' / 'tuned', result.stdout


def read(path) -> dict:
    return json.loads(path.read_text())


def test_trials_on_held_out_images_and_starts_that_are_shared(finished):
    folder, shown = finished
    for key in ('detection', 'segmentation'):
        run = folder / key / 'none'
        trials = [read(run / f'trial{k}' / 'seed1000' / 'result.json') for k in (0, 1)]
        scores = [headline(trial['steps']['held out']['metrics']).value for trial in trials]
        chosen = read(run / 'seed0' / 'run.json')['settings']['optim_wrapper.optimizer.lr']
        assert chosen == ('0.0001' if scores[0] >= scores[1] else '0.001')
    plain, ca = (folder / 'classification' / preset / 'seed0' for preset in ('none', 'ca'))
    start = read(plain / 'start.json')
    assert read(ca / 'start.json') == start and len(start) > 100
    results = [read(run / 'result.json')['steps']['train'] for run in (plain, ca)]
    assert {result['start'] for result in results} == {start_hash(start)}
    assert [result['inexact'] for result in results] == ['', '']
    classification, detection, segmentation = read(folder / 'report.json')['comparisons']
    assert classification['pairs'][0]['start'] == '' and not classification['tuned']
    assert [len(each['tuned']['none']) for each in (detection, segmentation)] == [2, 2]
    assert 'Tuning' in shown and 'chosen' in shown
