"""Carries out the steps of one run: train, test, count; `python -m attn_plugins.benchmark.worker FOLDER`.

It needs nothing but the run's folder (config.py, run.json), so any executor can start it anywhere, also as several
processes by torchrun. It may be killed at any moment; started again, it goes on from the last checkpoint.
"""

import argparse
import gc
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path

import psutil

from attn_plugins.benchmark.run_folder import CONFIG, PROGRESS, RANK_FAILURES, RESULT, RUN, START, folder_lock
from attn_plugins.files import read_json, write_json
from attn_plugins.training.preloaded_process import die_with_parent

LOG = 'run.log'
# (folder, content of run.json, the step as it stands there) -> what the result keeps of it.
Step = Callable[[Path, dict, dict], dict]


def train(folder: Path, run: dict, step: dict) -> dict:
    """Trains, from the last checkpoint if there is one."""
    from attn_plugins.errors import UserError
    from attn_plugins.training.checkpoint import latest_checkpoint
    from attn_plugins.training.hooks import ProgressHook, StartWeightsHook
    from attn_plugins.training.runner import train as train_config
    from attn_plugins.training.shared_start import StartHook, start_hash

    # Whether what was begun is of this config was asked before the run started.
    hooks = [
        ProgressHook(folder / PROGRESS),
        *(StartWeightsHook(**weights) for weights in run['weights']),
        StartHook(folder / START, [weights['part'] for weights in run['weights']]),
    ]
    train_config(_config(folder), resume='auto', hooks=hooks)
    checkpoint = latest_checkpoint(folder)
    if checkpoint is None:
        raise UserError('training ended without a checkpoint: its config needs a CheckpointHook')
    progress = read_json(folder / PROGRESS)
    kept = ('train_seconds', 'memory_mb', 'memory_of')
    start = read_json(folder / START)  # none where another version began the training
    return dict(
        {key: progress[key] for key in kept},
        checkpoint=checkpoint.name,
        inexact=progress.get('inexact', ''),
        start=start and start_hash(start),
    )


def test(folder: Path, run: dict, step: dict) -> dict:
    """Tests the last checkpoint."""
    from attn_plugins.errors import UserError
    from attn_plugins.training.checkpoint import latest_checkpoint
    from attn_plugins.training.hooks import ProgressHook
    from attn_plugins.training.runner import test as test_config
    from attn_plugins.training.scores import ChanceHook

    started = time.monotonic()
    cfg = _config(folder)
    cfg.merge_from_dict(step['cfg_options'])
    chance = ChanceHook()
    metrics = test_config(cfg, latest_checkpoint(folder), hooks=[ProgressHook(folder / PROGRESS), chance])
    if not metrics:
        raise UserError('the test gave no metrics: its config needs a test_evaluator')
    return dict(metrics=metrics, chance=chance.bounds, seconds=time.monotonic() - started)


def count(folder: Path, run: dict, step: dict) -> dict:
    """Counts parameters and multiply-adds; a model that cannot be counted keeps its other results."""
    from mmengine.config import Config

    from attn_plugins.cost.cost import count_cost
    from attn_plugins.explain import explain

    try:
        return count_cost(Config.fromfile(folder / CONFIG))
    except Exception as error:  # any model's own error: a finished training must not be lost to it
        reason = explain(error) or f'{type(error).__name__}: {error}'
        return dict(parameters=None, madds=None, input_shape=None, why_not=' '.join(reason.split()))


# What a step may be.
STEPS: dict[str, Step] = dict(train=train, test=test, count=count)


def carry_out(folder: Path, kinds: Mapping[str, Step] = STEPS) -> int:
    """Carries out what is left of a run's steps and writes what came of each; returns 1 if one failed.

    Of several processes each carries out all steps, and the first writes.

    Args:
        folder: The run's folder.
        kinds: What carries out each kind of step.
    """
    from attn_plugins.errors import Diverged
    from attn_plugins.explain import explain
    from attn_plugins.machine import git_commit, machine, versions
    from attn_plugins.training.launch import end_distributed

    # What a start costs is the first step's. From here on by a clock that nobody sets.
    begun = time.monotonic() - max(0.0, time.time() - psutil.Process().create_time())
    run, first = read_json(folder / RUN), int(os.environ.get('RANK', 0)) == 0
    result = read_json(folder / RESULT) or dict(steps={})
    result = dict(
        state='begun',
        config_hash=run['config_hash'],
        versions=versions(),
        git_commit=git_commit(),
        machine=machine(),
        processes=run['processes'],
        threads=int(os.environ.get('OMP_NUM_THREADS', 0)) or None,
        steps=result['steps'],
    )
    try:
        for step in run['steps']:
            if result['steps'].get(step['name'], {}).get('step') != step:
                print(f'$ {step["name"]}', flush=True)
                # Of a training that was cut off, what its earlier parts took.
                earlier = (
                    (read_json(folder / PROGRESS) or {}).get('train_seconds', 0.0)
                    if step['kind'] == 'train'
                    else 0.0
                )
                done = kinds[step['kind']](folder, run, step)
                begun, wall = time.monotonic(), time.monotonic() - begun + earlier
                result['steps'][step['name']] = dict(done, wall_seconds=wall, step=step)
                gc.collect()  # a Runner that is over still holds its model in reference cycles
                if first:
                    write_json(folder / RESULT, result)
        result['state'] = 'finished'
    except Exception as error:  # any model's own error is this run's, and the suite goes on with the others
        traceback.print_exc()
        sentence = explain(error) or f'{type(error).__name__}: {error}'
        # A loss that is no number comes again with the same seed: it is what came of this run.
        result['state'] = 'diverged' if isinstance(error, Diverged) else 'failed'
        result['error'] = f'{step["name"]}: {" ".join(sentence.split())}'
        if not first:
            failure = dict(state=result['state'], error=result['error'])
            write_json(folder / RANK_FAILURES.replace('*', os.environ['RANK']), failure)
    if first:
        write_json(folder / RESULT, result)
    end_distributed()
    return int(result['state'] != 'finished')


def _config(folder: Path):
    """The run's config in this process; mmengine writes what it made of it beside it, under another name."""
    from mmengine.config import Config

    from attn_plugins.training.runner import prepare_run

    cfg = prepare_run(
        folder / CONFIG, work_dir=str(folder), launcher='pytorch' if 'WORLD_SIZE' in os.environ else 'none'
    )
    return Config(cfg.to_dict(), cfg_text=cfg.text, filename=str(folder / 'as_run.py'))


def main(kinds: Mapping[str, Step] = STEPS) -> int:
    """Command line of the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', type=Path, help='folder of the run, with config.py and run.json')
    folder = parser.parse_args().folder
    die_with_parent()
    # The processes of a run that was killed need a moment to go: they still hold the folder until then.
    first = int(os.environ.get('RANK', 0)) == 0
    with folder_lock(folder, patience=10) if first else nullcontext():
        return carry_out(folder, kinds)


if __name__ == '__main__':
    sys.exit(main())
