"""Measures how long the models of a suite take for an image, when all runs are over: a step of its own.

It is carried out like a run, by a process of the executor in a folder with run.json, `latency` in the suite's, and
leaves result.json there. That has a step for each config, whose entry says what it holds for: the models by the hashes
of their runs' settings, machine, threads, versions. What stands there already is not measured again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from attn_plugins.benchmark.run_folder import CONFIG, PROGRESS, RESULT, RUN
from attn_plugins.files import read_json, write_json

if TYPE_CHECKING:
    from attn_plugins.benchmark.suite import Suite

FOLDER = 'latency'
# Of a config, as far as three passes of each model are not slower.
SECONDS = 8.0
# What it shows before its process has written anything.
STARTING = dict(text='measuring latency', done=0.0)


@dataclass(frozen=True)
class Measurement:
    """What an executor carries out after the runs: a folder with run.json in it."""

    folder: Path
    name: str = FOLDER


def folder_of(suite: 'Suite') -> Path:
    """Name the folder of a suite's latencies."""
    return suite.folder / FOLDER


def planned_steps(suite: 'Suite', threads: int) -> list[dict]:
    """Make a step for each config, of one model for each preset: that of its first run that has begun."""
    from attn_plugins.machine import machine, versions

    where = dict(threads=threads, machine=machine(), versions=versions())
    return [
        dict(kind=FOLDER, name=key, models=models, **where)
        for key in suite.config_keys
        if (models := models_of(suite, key))
    ]


def models_of(suite: 'Suite', key: str) -> dict[str, dict]:
    """Name each preset's model of a config: the run that has it, and the hash of its settings."""
    models: dict[str, dict] = {}
    for run in suite.runs:
        record = read_json(run.folder / RUN) or {}
        if run.config_key == key and run.trial is None and 'config_hash' in record:
            models.setdefault(run.preset_name, dict(run=run.name, config_hash=record['config_hash']))
    return models


def prepare(suite: 'Suite', threads: int) -> Measurement | None:
    """Write what is to be measured; None if all of it has been, under the same conditions."""
    folder, steps = folder_of(suite), planned_steps(suite, threads)
    done = (read_json(folder / RESULT) or {}).get('steps', {})
    if all(done.get(step['name'], {}).get('step') == step for step in steps):
        return None
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PROGRESS).unlink(missing_ok=True)
    write_json(folder / RUN, dict(name=FOLDER, suite=suite.name, config_hash=None, processes=1, steps=steps))
    return Measurement(folder)


def measure(folder: Path, run: dict, step: dict) -> dict:
    """Measure a config's models in turn; keep how busy the machine was, and why a model cannot be measured."""
    import torch
    from mmengine.config import Config

    from attn_plugins.benchmark.other_work import OtherWork
    from attn_plugins.cost.cost import measure_in_turn, measure_latency
    from attn_plugins.cost.forward_pass import make_input
    from attn_plugins.explain import explain
    from attn_plugins.training.library import build_model

    sizes = [len(entry['models']) for entry in run['steps']]
    before = sum(sizes[: [entry['name'] for entry in run['steps']].index(step['name'])])

    def show(share: float) -> None:
        """Write how far it is, for the suite's display."""
        done = before + share * len(step['models'])
        text = f'measuring latency, {int(done)} of {sum(sizes)}'
        write_json(folder / PROGRESS, dict(text=text, done=done / sum(sizes)))

    show(0.0)
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    models, why_not = {}, {}
    for preset, model in step['models'].items():
        try:
            cfg = Config.fromfile(folder.parent / model['run'] / CONFIG)
            built = build_model(cfg).eval().to(device)
            models[preset] = built, make_input(cfg, built)
            measure_latency(
                *models[preset], repeats=1
            )  # the first pass takes longest, and finds out whether it runs
        except Exception as error:  # any model's own error is this model's, and the others are measured
            models.pop(preset, None)
            reason = explain(error) or f'{type(error).__name__}: {error}'
            why_not[preset] = ' '.join(reason.split())
    others = OtherWork()
    measured = measure_in_turn(models, seconds=SECONDS, after_round=show)
    return dict(
        presets=measured,
        why_not=why_not,
        load_before=others.load,
        other_cores=others.cores if measured else 0.0,
    )


def read_latencies(suite: 'Suite', key: str) -> dict:
    """Read what was measured of a config, if it is of the models that its runs have now.

    Returns:
        dict: `presets`, preset -> latency; `why_not`, preset -> why it has none; and, if anything was measured,
            `other_cores`, `load_before` and the `step` that says what it holds for.
    """
    models = models_of(suite, key)
    result = read_json(folder_of(suite) / RESULT) or {}
    found = result.get('steps', {}).get(key, {})
    before = found.get('step', {}).get('models', {})
    missing = [preset for preset in models if preset not in before]
    changed = [preset for preset in models if preset in before and before[preset] != models[preset]]
    error = result.get('error')
    why = f'measuring failed ({error})' if error else 'it is measured by `run`, when all runs are over'
    reasons = {
        **found.get('why_not', {}),
        **dict.fromkeys(missing, why),
        **dict.fromkeys(changed, 'its settings have changed since it was measured; `run` measures it anew'),
    }
    kept: Sequence[str] = [preset for preset in models if preset not in reasons]
    presets = {preset: found['presets'][preset] for preset in kept if preset in found.get('presets', {})}
    return dict(
        found, presets=presets, why_not={preset: reasons[preset] for preset in models if preset in reasons}
    )
