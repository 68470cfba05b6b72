"""benchmark.py: a suite of real trainings, one step each, and bad input."""

import json

import torch
import yaml

from tests.tools.conftest import CLASSIFICATION, error_line

OPTIONS = {'train_dataloader.batch_size': 8, 'train_cfg.max_epochs': 1, 'param_scheduler': None}


def write_suite(workspace, **configs):
    """A suite with Coordinate Attention and one seed."""
    path = workspace.folder / 'tiny.yml'
    content = dict(
        name='tiny',
        seeds=[0],
        presets=['ca'],
        configs={
            key: dict(config=str(CLASSIFICATION), cfg_options=OPTIONS, **more)
            for key, more in configs.items()
        },
    )
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def test_a_suite_that_grows(workspace):
    """A classifier; then also one that starts from its backbone, while the first is not trained again."""
    folder = workspace.folder / 'work_dirs' / 'tiny'
    result = workspace.run('benchmark.py', 'run', write_suite(workspace, first={}))
    assert result.returncode == 0, result.stdout + result.stderr
    first = json.loads((folder / 'first/ca/seed0/result.json').read_text())
    assert 0 <= first['metrics']['accuracy/top1'] <= 100
    assert first['parameters'] > first['madds'] / 1000 > 0
    assert first['memory_mb'] > 100 and first['train_seconds'] > 0
    result = workspace.run(
        'benchmark.py', 'run', write_suite(workspace, first={}, second=dict(backbone_from='first'))
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert 'started second/ca/seed0' in result.stdout and 'started first' not in result.stdout
    second = json.loads((folder / 'second/ca/seed0/result.json').read_text())
    assert first['config_hash'] != second['config_hash']
    checkpoint = torch.load(folder / 'first/ca/seed0' / first['checkpoint'], weights_only=False)
    assert any(key.startswith('backbone.') and 'attn_ca' in key for key in checkpoint['state_dict'])
    assert f'first/ca/seed0/{first["checkpoint"]}' in (folder / 'second/ca/seed0/train.log').read_text()
    assert len(json.loads((folder / 'report.json').read_text())['comparisons']) == 2
    assert 'second/ca/seed0' not in (folder / 'report.html').read_text(), 'every run has a result'


def test_missing_data_are_found_before_anything_is_trained(workspace):
    (workspace.folder / 'data' / 'digit_scenes').unlink()
    suite = write_suite(workspace, first={})
    assert 'digit_scenes' in error_line(workspace.run('benchmark.py', 'run', suite))
    assert not list(workspace.folder.rglob('train.log'))


def test_a_misspelt_suite(workspace):
    suite = write_suite(workspace, first={})
    assert 'did you mean' in error_line(workspace.run('benchmark.py', 'run', suite.with_name('tinny.yml')))
    assert not (workspace.folder / 'work_dirs').exists()
