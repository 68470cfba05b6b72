"""Loads the models that visualize.py's arguments name: by a config, by work dirs or checkpoints, by a suite."""

import argparse
from pathlib import Path

from attn_plugins.errors import UserError


def load_subjects(args: argparse.Namespace) -> list:
    """Loads the models, in the order of their columns."""
    from attn_plugins.training.config import load_config
    from attn_plugins.training.presets import preset_name
    from attn_plugins.visualization.loaded_model import load_subject, load_trained

    if args.config:
        name = preset_name(args.attention) if args.attention else Path(args.config).stem
        return [
            load_subject(load_config(args.config, args.attention, args.cfg_options), args.checkpoint, name)
        ]
    if args.suite:
        paths = _suite_runs(args)
    else:
        paths = {}
        for word in args.model:
            name, equals, path = word.partition('=')
            if not (name and equals and path):
                raise UserError(f'--model takes NAME=PATH, not {word!r}: --model ca=work_dirs/ca')
            if name in paths:
                raise UserError(f'two models are called {name!r}: give each a name of its own')
            paths[name] = Path(path)
    subjects = [load_trained(path, name) for name, path in paths.items()]
    if len({subject.library for subject in subjects}) > 1:
        kinds = ', '.join(f'{subject.name} of {subject.library}' for subject in subjects)
        raise UserError(
            f'models of one library stand side by side, these are {kinds}: make a picture of each'
        )
    return subjects


def _suite_runs(args: argparse.Namespace) -> dict[str, Path]:
    """Returns preset -> the folder of its run."""
    from attn_plugins.benchmark.suite import read_suite
    from attn_plugins.benchmark.suite_presets import BASELINE
    from attn_plugins.registry import nearest

    suite = read_suite(args.suite, args.work_dir)
    key = args.suite_config
    runs = [run for run in suite.runs if run.config_key == key]
    if not runs:
        raise UserError(f'suite {args.suite} has no config {key!r}: {nearest(key, suite.config_keys)}')
    seed = runs[0].seed if args.seed is None else args.seed
    chosen = {run.preset_name: run for run in runs if run.seed == seed}
    if not chosen:
        seeds = nearest(str(seed), {str(run.seed) for run in runs})
        raise UserError(f'suite {args.suite} does not train {key} with seed {seed}: {seeds}')
    presets = args.presets or [
        name for name, run in chosen.items() if not (args.command == 'gates' and run.preset == BASELINE)
    ]
    for preset in presets:
        if preset not in chosen:
            raise UserError(
                f'suite {args.suite} does not train {key} with {preset!r}: {nearest(preset, chosen)}'
            )
        if not chosen[preset].folder.is_dir():
            raise UserError(
                f'{chosen[preset].folder} is not there, the run has not begun: run tools/benchmark.py run '
                f'{args.suite}, or name its folder with --work-dir'
            )
    return {preset: chosen[preset].folder for preset in presets}
