"""dist_train.sh and dist_test.sh with two processes on a machine without a GPU."""

import json
import re
import socket

import torch

from tests.cli.conftest import CLASSIFICATION, SHORT, write_checkpoint


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return str(probe.getsockname()[1])


def test_two_processes_train_and_test(workspace):
    options = [*SHORT, 'train_cfg.max_epochs=1', 'model.head.loss.type=CrossEntropyLoss']
    result = workspace.run(
        'dist_train.sh',
        CLASSIFICATION,
        2,
        '--work-dir',
        'two',
        '--attention',
        'iebn',
        '--cfg-options',
        *options,
        PORT=free_port(),
    )
    assert result.returncode == 0, result.stderr
    # Two processes share the crops: half the steps of one, and one log, one checkpoint.
    crops = len(list((workspace.folder / 'data/digit_scenes/classes/train').rglob('*.png')))
    steps = re.findall(r'Epoch\(train\)\s+\[1\]\[\s*(\d+)/(\d+)\]', result.stdout)
    assert steps[-1] == (str(-(-crops // 8)),) * 2
    assert len(steps) == -(-crops // 8)
    checkpoint = workspace.folder / 'two' / 'epoch_1.pth'
    weights = torch.load(checkpoint, weights_only=False)['state_dict']
    assert any('gate_' in key for key in weights) and not any(key.startswith('module.') for key in weights)
    result = workspace.run(
        'dist_test.sh',
        CLASSIFICATION,
        checkpoint,
        2,
        '--attention',
        'iebn',
        '--work-dir',
        'two',
        '--out-metrics',
        'metrics.json',
        PORT=free_port(),
    )
    assert result.returncode == 0, result.stderr
    assert 'accuracy/top1' in json.loads((workspace.folder / 'metrics.json').read_text())


def test_the_first_gradients_of_two_processes_are_right_in_channels_last(workspace):
    """torch writes them into wrong places where the layout changes after the model was wrapped."""
    options = [
        *SHORT,
        'randomness.seed=1',
        'train_cfg.max_epochs=1',
        'default_hooks.checkpoint.by_epoch=False',
    ]
    write_checkpoint(workspace.folder / 'start.pth', CLASSIFICATION, 'none')
    options.append(f'load_from={workspace.folder / "start.pth"}')
    sums = []
    for name, hooks in (
        ('contiguous', '[]'),
        ('channels_last', '[dict(type="attn_plugins.ChannelsLastHook")]'),
    ):
        config = workspace.folder / f'{name}.py'
        config.write_text(
            f'_base_ = ["{CLASSIFICATION}"]\ncustom_hooks = {hooks}\ntrain_dataloader = dict(num_workers=0)\n'
        )
        words = ['--work-dir', name, '--cfg-options', *options, 'default_hooks.checkpoint.max_keep_ckpts=-1']
        result = workspace.run(
            'dist_train.sh', config, 2, *words, 'default_hooks.checkpoint.interval=1', PORT=free_port()
        )
        assert result.returncode == 0, result.stderr
        state = torch.load(workspace.folder / name / 'iter_1.pth', weights_only=False)['optimizer']['state']
        sums.append([entry['exp_avg'] for entry in state.values()])
    assert len(sums[0]) == len(sums[1]) > 50
    # Of the stem; kernels of one pixel or one channel have the same places in both layouts.
    (one, other), *_ = [pair for pair in zip(*sums, strict=True) if pair[0].ndim == 4]
    assert one.shape[1:] == (3, 3, 3)
    # Batch norms over a few values amplify rounding (one process: 2 %); wrong places give more than 1.
    assert (one - other).abs().max() < 0.2 * one.abs().max()


def test_the_scripts_say_how_they_are_used(workspace):
    for script, words in (
        ('dist_train.sh', 'CONFIG GPUS'),
        ('dist_test.sh', 'CONFIG CHECKPOINT GPUS'),
        ('slurm_train.sh', 'PARTITION JOB_NAME CONFIG WORK_DIR'),
        ('slurm_test.sh', 'PARTITION JOB_NAME CONFIG CHECKPOINT'),
    ):
        result = workspace.run(script)
        assert result.returncode == 1
        assert re.fullmatch(rf'usage: \S+/{script} {words} \[arguments of \w+.py\]\n', result.stderr)


def test_slurm_gets_its_resources_and_the_tool_its_arguments(workspace):
    # A stand-in for srun that prints what it is given, one argument per line.
    srun = workspace.folder / 'srun'
    srun.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    srun.chmod(0o755)
    path = f'{workspace.folder}:/usr/bin:/bin'
    result = workspace.run(
        'slurm_train.sh',
        'gpu',
        'job',
        'a b.py',
        'work',
        '--amp',
        PATH=path,
        GPUS='4',
        GPUS_PER_NODE='2',
        SRUN_ARGS='--qos long',
        CPUS_PER_TASK='3',
    )
    lines = result.stdout.splitlines()
    assert lines[:10] == [
        '-p',
        'gpu',
        '--job-name=job',
        '--gres=gpu:2',
        '--ntasks=4',
        '--ntasks-per-node=2',
        '--cpus-per-task=3',
        '--kill-on-bad-exit=1',
        '--qos',
        'long',
    ]
    assert lines[-6:] == ['a b.py', '--work-dir', 'work', '--launcher', 'slurm', '--amp']
    result = workspace.run('slurm_test.sh', 'gpu', 'job', 'a b.py', 'c.pth', PATH=path)
    assert result.stdout.splitlines()[-4:] == ['a b.py', 'c.pth', '--launcher', 'slurm']


def test_slurm_without_a_gres(workspace):
    """A cluster, or a partition, that has no resource called gpu."""
    srun = workspace.folder / 'srun'
    srun.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    srun.chmod(0o755)
    path = f'{workspace.folder}:/usr/bin:/bin'
    result = workspace.run('slurm_train.sh', 'cpu', 'job', 'a.py', 'work', PATH=path, GRES='')
    assert '--gres' not in result.stdout and '--ntasks=8' in result.stdout
    result = workspace.run('slurm_train.sh', 'v100', 'job', 'a.py', 'work', PATH=path, GRES='gpu:v100:4')
    assert '--gres=gpu:v100:4' in result.stdout.splitlines()
