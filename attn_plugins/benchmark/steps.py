"""Defines the kinds of steps of a run: train, test, count, pictures. A new one is a function and a line in `STEPS`."""

import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from attn_plugins.benchmark import latency
from attn_plugins.benchmark.run_folder import CONFIG, PROGRESS, START
from attn_plugins.files import read_json

if TYPE_CHECKING:
    from attn_plugins.benchmark.suite import Run


@dataclass(frozen=True)
class StepKind:
    """One kind of step. What it needs of torch and the libraries is imported when it is carried out.

    Attributes:
        carry_out: Carries out a step: (folder of the run, content of run.json, the step's entry there) -> what
            result.json keeps of it. A step whose entry stands in result.json is not carried out again.
        entries: The kind's steps in a run: name of the step -> its options, which stand in run.json beside kind and
            name. None for a single step that is called as the kind is and has no options.
        seconds_before: What an earlier call has spent on the step that this one goes on with, by the run's folder.
        is_extra: Whether a run has finished without it. It is carried out after the others, and is made up for by the
            next `run` of a suite whose results lack it, as those of an older version do.
    """

    carry_out: Callable[[Path, dict, dict], dict]
    entries: Callable[['Run'], dict[str, dict]] | None = None
    seconds_before: Callable[[Path], float] = lambda folder: 0.0
    is_extra: bool = False


def train(folder: Path, run: dict, step: dict) -> dict:
    """Train, from the last checkpoint if there is one; keep time, memory, checkpoint and a hash of the start.

    Beside the time stands how many runs ran at a time, and how busy the machine was at the end.
    """
    from attn_plugins.benchmark.other_work import load_average
    from attn_plugins.errors import UserError
    from attn_plugins.training.checkpoint import latest_checkpoint
    from attn_plugins.training.hooks import ProgressHook, StartWeightsHook
    from attn_plugins.training.runner import train as train_config
    from attn_plugins.training.shared_start import StartHook, start_hash

    # The suite has checked, before the run started, that the checkpoint is of this config.
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
    start = read_json(folder / START)  # None where another version began the training
    return dict(
        {key: progress[key] for key in ('train_seconds', 'memory_mb', 'memory_of')},
        parallel=run.get('parallel'),
        load=load_average(),
        checkpoint=checkpoint.name,
        inexact=progress.get('inexact', ''),
        start=start and start_hash(start),
    )


def seconds_trained(folder: Path) -> float:
    """Read what the parts of a training that was cut off have taken."""
    return (read_json(folder / PROGRESS) or {}).get('train_seconds', 0.0)


def test(folder: Path, run: dict, step: dict) -> dict:
    """Test the last checkpoint, with the test's `cfg_options`; keep metrics, their level of chance, and seconds."""
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


def tests_of(run: 'Run') -> dict[str, dict]:
    """List a step for each test of the suite, with the options of its config."""
    return {name: dict(cfg_options=options) for name, options in run.tests.items()}


def count(folder: Path, run: dict, step: dict) -> dict:
    """Count parameters and multiply-adds; of a model that cannot be counted keep the reason."""
    from mmengine.config import Config

    from attn_plugins.cost.cost import count_cost

    try:
        return count_cost(Config.fromfile(folder / CONFIG))
    except Exception as error:  # any model's own error: a finished training must not be lost to it
        return dict(parameters=None, madds=None, input_shape=None, why_not=_reason(error))


def pictures(folder: Path, run: dict, step: dict) -> dict:
    """Draw predictions and what they rest on, in the first process; of what cannot be drawn keep the reason."""
    if int(os.environ.get('RANK', 0)) > 0:
        return {}
    from attn_plugins.benchmark.pictures import draw_pictures

    try:
        return dict(images=draw_pictures(folder, step['cfg_options']), why_not='')
    except Exception as error:  # any model's own error, as above
        return dict(images=[], why_not=_reason(error))


def pictures_of(run: 'Run') -> dict[str, dict]:
    """List the step for the runs whose predictions are shown, with the options of their first test."""
    return {'pictures': dict(cfg_options=next(iter(run.tests.values())))} if run.is_shown else {}


def _reason(error: Exception) -> str:
    from attn_plugins.explain import explain

    return ' '.join((explain(error) or f'{type(error).__name__}: {error}').split())


# In the order in which a run carries them out; latencies are measured once for all runs (latency.py).
STEPS = {
    'train': StepKind(train, seconds_before=seconds_trained),
    'test': StepKind(test, entries=tests_of),
    'count': StepKind(count),
    latency.FOLDER: StepKind(latency.measure, entries=lambda run: {}),
    'pictures': StepKind(pictures, entries=pictures_of, is_extra=True),
}


def steps_of(run: 'Run') -> list[dict]:
    """Make the entries of run.json: what a run carries out, in order."""
    return [
        dict(kind=word, name=name, **options)
        for word, kind in STEPS.items()
        for name, options in (kind.entries(run) if kind.entries else {word: {}}).items()
    ]


def fixed_names() -> list[str]:
    """List the names of steps that no test of a suite may have."""
    return [word for word, kind in STEPS.items() if kind.entries is not tests_of]


def left_of(steps: Iterable[dict], done: Mapping[str, dict]) -> list[dict]:
    """List those of a run's steps that are not done yet, or were done with other options.

    Args:
        steps: The entries of run.json.
        done: What result.json keeps of each step, by its name.
    """
    return [step for step in steps if done.get(step['name'], {}).get('step') != step]


def has_finished(
    steps: Iterable[dict], done: Mapping[str, dict], kinds: Mapping[str, StepKind] = STEPS
) -> bool:
    """Tell whether nothing is left of a run but extra steps."""
    return all(kinds[step['kind']].is_extra for step in left_of(steps, done))


def _config(folder: Path):
    """Load the run's config in this process; mmengine writes what it made of it beside it, under another name."""
    from mmengine.config import Config

    from attn_plugins.training.runner import prepare_run

    launcher = 'pytorch' if 'WORLD_SIZE' in os.environ else 'none'
    cfg = prepare_run(folder / CONFIG, work_dir=str(folder), launcher=launcher)
    return Config(cfg.to_dict(), cfg_text=cfg.text, filename=str(folder / 'as_run.py'))
