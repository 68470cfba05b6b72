"""benchmark.py: a suite of real trainings, one step each, and bad input."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from mmengine.config import Config

from attn_plugins.benchmark import executors
from attn_plugins.cli.benchmark import main
from tests.benchmark.stub import InlineExecutor
from tests.cli.conftest import CLASSIFICATION, CONFIGS, ROOT

OPTIONS = {
    'train_dataloader.batch_size': 8,
    'train_cfg.max_epochs': 1,
    'train_cfg.val_interval': 1,
    'param_scheduler': None,
}


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
    """A classifier of two processes; then one that starts from its backbone, tested twice; the first is left alone."""
    folder = workspace.folder / 'work_dirs' / 'tiny'
    result = workspace.run('benchmark.py', 'run', write_suite(workspace, first=dict(processes=2)))
    assert result.returncode == 0, result.stdout + result.stderr
    first = json.loads((folder / 'first/ca/seed0/result.json').read_text())
    assert list(first['steps']) == ['train', 'test', 'count', 'pictures'] and first['processes'] == 2
    drawn = first['steps']['pictures']
    assert drawn['why_not'] == '' and len(drawn['images']) == 3
    for image in drawn['images']:
        assert (folder / 'first/ca/seed0' / image['truth']['file']).is_file() and image['prediction']['words']
        assert (folder / 'first/ca/seed0' / image['evidence']['file']).is_file()
        assert image['evidence']['explains'].startswith(image['prediction']['words'])
        assert image['library'] == 'mmpretrain'
    assert 0 <= first['steps']['test']['metrics']['accuracy/top1'] <= 100
    assert first['steps']['count']['parameters'] > first['steps']['count']['madds'] / 1000 > 0
    trained = first['steps']['train']
    assert all(step['wall_seconds'] > 0 for step in first['steps'].values())
    assert trained['wall_seconds'] > trained['train_seconds']  # with the start of its processes
    assert trained['memory_mb'] > 100 and trained['memory_of'] == 'process' and trained['train_seconds'] > 0
    # Two processes share the crops, and each takes eight: the curve has a point for every step.
    crops = len(list((workspace.folder / 'data/digit_scenes/classes/train').rglob('*.png')))
    progress = json.loads((folder / 'first/ca/seed0/progress.json').read_text())
    assert [step for step, _ in progress['loss']] == [*range(1, -(-crops // 16) + 1)]
    assert all(loss > 0 for _, loss in progress['loss']) and progress['text'] == 'testing'
    assert [step for step, _ in progress['validation']] == [-(-crops // 16)]

    second = dict(
        weights_from=dict(backbone='first'), tests={'whole': {}, 'single': {'test_dataloader.batch_size': 1}}
    )
    result = workspace.run(
        'benchmark.py', 'run', write_suite(workspace, first=dict(processes=2), second=second)
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert 'started second/ca/seed0' in result.stdout and 'started first' not in result.stdout
    second = json.loads((folder / 'second/ca/seed0/result.json').read_text())
    assert list(second['steps']) == ['train', 'whole', 'single', 'count', 'pictures']
    assert first['config_hash'] != second['config_hash']
    checkpoint = torch.load(folder / 'first/ca/seed0' / trained['checkpoint'], weights_only=False)
    assert any(key.startswith('backbone.') and 'attn_ca' in key for key in checkpoint['state_dict'])
    assert f'first/ca/seed0/{trained["checkpoint"]}' in (folder / 'second/ca/seed0/run.log').read_text()
    assert len(json.loads((folder / 'report.json').read_text())['comparisons']) == 3
    assert 'Runs without a result' not in (folder / 'report.html').read_text()
    check_latency(folder)
    check_next_steps(workspace, result.stdout)


def check_latency(folder):
    """Of both configs, measured by a process of its own, each when its suite had finished."""
    steps = json.loads((folder / 'latency/result.json').read_text())['steps']
    assert list(steps) == ['first', 'second']
    for step in steps.values():
        latency = step['presets']['ca']
        assert latency['median_ms'] > 0 and latency['threads'] == 1 and latency['device'] == 'cpu'
        assert step['other_cores'] >= 0 and not step['why_not']
    assert (folder / 'latency/run.log').read_text().count('$ first') == 1
    page = (folder / 'report.md').read_text()
    assert ' ms (' in page and 'Train times were measured with up to 2 runs side by side' in page


def check_next_steps(workspace, said):
    """Each printed command works as it is, copied into a shell in the same folder."""
    lines = said[said.index('What comes next:') :].splitlines()[1:]
    commands = [line.strip() for line in lines if line.startswith('  ') and not line.startswith('  #')]
    assert len(commands) == 3 and len(lines) == 6
    path = f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'
    env = workspace.environment(PYTHONPATH=str(ROOT), PATH=path)
    answers = []
    for command in commands:
        done = subprocess.run(
            ['bash', '-c', command], cwd=workspace.folder, env=env, capture_output=True, text=True
        )
        assert done.returncode == 0, f'{command}\n{done.stdout}{done.stderr}'
        answers.append(done.stdout)
    assert '2 runs: 0 of 2 finished' in answers[0] and (workspace.folder / 'my_tiny.yml').is_file()
    assert answers[1].split() == [f'layer{stage}.1.attn_ca' for stage in range(1, 5)]
    assert (workspace.folder / answers[2].strip()).read_bytes().startswith(b'\x89PNG')


def test_a_gain_beside_a_plain_model_of_more_parameters(workspace, monkeypatch, capsys):
    """From the suite's file to the report and back; nothing is trained (stub.py), and ca alone gains 1.5."""
    monkeypatch.chdir(workspace.folder)
    monkeypatch.setattr(executors, 'LocalExecutor', lambda jobs: InlineExecutor())
    wide = dict(wide=dict(preset='none', cfg_options={'model.backbone.widen_factor': 0.6}))
    toy = dict(presets=['none', 'ca', wide], seeds=[0, 1], controls=dict(ca=['wide']))
    path = str(write_suite(workspace, toy=toy))
    assert main(['run', path]) == 0
    folder = workspace.folder / 'work_dirs/tiny'
    run = json.loads((folder / 'toy/wide/seed1/run.json').read_text())
    assert (run['name'], run['preset']) == ('toy/wide/seed1', 'none')
    assert run['settings']['model.backbone.widen_factor'] == '0.6'
    assert Config.fromfile(folder / 'toy/wide/seed1/config.py').model.backbone.widen_factor == 0.6
    [comparison] = json.loads((folder / 'report.json').read_text())['comparisons']
    assert comparison['presets'][2]['twin'] == 'none with model.backbone.widen_factor=0.6'
    [control] = comparison['controls'][0]['controls']
    assert (control['gain']['mean'], control['difference']['mean'], control['difference']['n']) == (
        0.0,
        1.5,
        2,
    )
    for suffix in ('md', 'html', 'csv', 'tex'):
        text = (folder / f'report.{suffix}').read_text()
        assert '3 comparisons: 3 have no verdict (n = 2; five seeds are needed).' in text
        assert 'ca beside its controls' in text
    shown = capsys.readouterr().out
    assert 'ca beside its controls' in shown
    assert shown.index('toy: 2 seeds give no verdict: five seeds are needed') < shown.index('started toy')
    assert main(['status', path]) == 0
    assert 'toy/wide/seed1' in capsys.readouterr().out
    assert main(['run', path]) == 0
    assert 'started' not in capsys.readouterr().out


def test_what_was_typed_stands_in_the_report_and_a_suite_that_failed_has_no_next_steps(
    workspace, monkeypatch, capsys
):
    monkeypatch.chdir(workspace.folder)
    monkeypatch.setattr(executors, 'LocalExecutor', lambda jobs: InlineExecutor())
    monkeypatch.setattr(sys, 'argv', ['attn-plugins benchmark', 'benchmark'])
    path = write_suite(workspace, toy={})
    path.write_text(path.read_text().replace('param_scheduler: null', 'breaks: true'))
    assert main(['run', 'tiny.yml']) == 1
    assert 'What comes next' not in capsys.readouterr().out
    write_suite(workspace, toy={})
    for words in (
        ['--redo', '--work-dir', 'a b'],
        ['--work-dir', 'a b', '--jobs', '1'],
        ['--redo', '--work-dir', 'a b'],
    ):
        assert main(['run', 'tiny.yml', *words]) == 0
    said = capsys.readouterr().out
    assert said.count('What comes next:') == 3
    assert (
        "attn-plugins visualize cam --suite tiny.yml --config toy --seed 0 --presets ca --work-dir 'a b'"
        in said
    )
    assert main(['report', 'tiny.yml', '--work-dir', 'a b']) == 0
    page = (workspace.folder / 'a b' / 'report.csv').read_text()
    lines = [line for line in page.splitlines() if 'attn-plugins benchmark run' in line and ',value,' in line]
    assert [line.partition('attn-plugins benchmark run ')[2].rstrip(',') for line in lines] == [
        "tiny.yml --redo --work-dir 'a b'",
        "tiny.yml --work-dir 'a b' --jobs 1",
    ]


@pytest.fixture
def refused(workspace, monkeypatch, capsys):
    """Calls the command line in this process and returns the one line in which it refuses its input."""
    monkeypatch.chdir(workspace.folder)

    def call(*words) -> str:
        with pytest.raises(SystemExit, match='1'):
            main([str(word) for word in words])
        (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith('error: ')]
        return line

    return call


def test_missing_data_are_found_before_anything_is_trained(workspace, refused):
    (workspace.folder / 'data' / 'digit_scenes').unlink()
    assert 'digit_scenes' in refused('run', write_suite(workspace, first={}))
    assert not list(workspace.folder.rglob('run.log'))


def test_what_a_suite_would_do_is_said_and_nothing_is_started(workspace, monkeypatch, capsys):
    monkeypatch.chdir(workspace.folder)
    more = dict(presets=['none', 'ca'], seeds=dict(most=9, until_half_width=1.0), spread=0.6)
    tune = dict(tune={'optim_wrapper.optimizer.lr': [0.001, 0.003]})
    assert main(['plan', str(write_suite(workspace, toy=dict(**more, **tune)))]) == 0
    said = capsys.readouterr().out
    assert said.startswith(
        '22 runs, 4 of them trials by which values are tuned: 0 of 14 finished, 8 more by the spread'
    )
    assert (
        'toy: 5 to 9 seeds, until intervals reach 1 to each side; 5 seeds and 1 comparison show, in four'
        in said
    )
    assert not (workspace.folder / 'work_dirs').exists()


def test_a_misspelt_suite(workspace, refused):
    suite = write_suite(workspace, first={})
    assert 'did you mean' in refused('run', suite.with_name('tinny.yml'))
    assert not (workspace.folder / 'work_dirs').exists()


def test_a_preset_that_is_not_there_is_said_with_the_nearest(workspace, refused):
    suite = write_suite(workspace, first=dict(presets=['iebm']))
    assert "there is no attention preset 'iebm', did you mean iebn" in refused('run', suite)


def test_a_suite_of_a_users_own_presets_and_configs_anywhere(workspace, monkeypatch, capsys):
    """By path in a folder beside the suite, called from another folder; the plain config takes no presets at all."""
    project = workspace.folder / 'my project'
    (project / 'presets').mkdir(parents=True)
    (project / 'presets' / 'se4.py').write_text(
        "attention = [dict(cfg=dict(type='attn_plugins.SE', reduction=4))]"
    )
    (project / 'plain.py').write_text(f'_base_ = {str(CONFIGS / "resnet/resnet18_digitscenes.py")!r}')
    configs = dict(
        own=dict(config=str(CLASSIFICATION), presets=['presets/se4.py', 'none']),
        plain=dict(config='plain.py', presets=['none']),
    )
    (project / 'mine.yml').write_text(yaml.safe_dump(dict(name='mine', seeds=[0], configs=configs)))
    monkeypatch.chdir(workspace.folder)
    assert main(['status', 'my project/mine.yml']) == 0
    shown = capsys.readouterr().out
    assert all(run in shown for run in ('own/se4/seed0', 'own/none/seed0', 'plain/none/seed0'))
