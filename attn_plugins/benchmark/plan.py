"""Fixes what a run will do before it starts: its resolved config, processes, settings and their hash, files to read."""

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from os.path import relpath

from mmengine.config import Config

from attn_plugins.benchmark.run_folder import CONFIG, FAILURE, RANK_FAILURES, RESULT, RUN
from attn_plugins.benchmark.suite import Run, Suite
from attn_plugins.benchmark.tuning import choose, hold_out, trial_score
from attn_plugins.errors import UserError
from attn_plugins.files import read_json, write_json
from attn_plugins.training.checkpoint import latest_checkpoint
from attn_plugins.training.config import load_config
from attn_plugins.training.fingerprint import differences, settings_of
from attn_plugins.training.variables import refuse_options_in_vain


@dataclass(frozen=True)
class Plan:
    """A run with its resolved config.

    Attributes:
        run: The run.
        cfg: Its config, preset and seed put in.
        processes: How many processes carry it out.
        note: How its batch or learning rate differ from the config's, if they do.
        is_open: Whether its values, or those of a run that it starts from, are still being tuned: then its settings are
            not known yet.
        settings: What decides its result, as flat text. Work directories and checkpoint paths are no part of it, so a
            moved folder keeps its results.
    """

    run: Run
    cfg: Config
    processes: int
    note: str | None
    settings: dict[str, str]
    is_open: bool = False

    @property
    def config_hash(self) -> str:
        """The hash of the settings, by which results are recognised."""
        return hashlib.sha256(json.dumps(self.settings, sort_keys=True).encode()).hexdigest()

    @property
    def is_outdated(self) -> bool:
        """Whether the folder holds a training, as far as to a checkpoint, that had other settings."""
        record, result = read_json(self.run.folder / RUN), read_json(self.run.folder / RESULT)
        holds_training = latest_checkpoint(self.run.folder) or (
            result and result['state'] in ('finished', 'diverged')
        )
        return bool(
            not self.is_open and record and holds_training and record['config_hash'] != self.config_hash
        )


def plan_suite(suite: Suite, devices: int) -> dict[Run, Plan]:
    """Resolve the configs of all runs, in dependency order.

    Args:
        suite: The suite.
        devices: How many processes have a GPU, or a core, of their own where the runs will run.

    Raises:
        UserError: A config cannot be what its run says it is (preset, options, `weights_from`).
    """
    plans: dict[Run, Plan] = {}
    for run in suite.runs:
        try:
            plans[run] = plan_run(run, plans, devices)
        except UserError as error:
            raise UserError(f'suite {suite.path}, run {run.name}: {error}') from error
    return plans


def plan_run(run: Run, plans: Mapping[Run, Plan], devices: int) -> Plan:
    """Resolve the config of a run; of a tuned one with its best values, once its trials are over.

    Args:
        run: The run.
        plans: At least those of the runs whose weights it starts from.
        devices: As of :func:`plan_suite`.
    """
    options, is_open = run.cfg_options, any(plans[weights.run].is_open for weights in run.weights)
    if run.trials:
        best, are_over = best_values(run)
        is_open |= not are_over
        options = {name: value for name, value in options.items() if name not in best} | best
    cfg = load_config(run.config, attention=run.preset, cfg_options=options or None)
    cfg.randomness = {**cfg.get('randomness', {}), 'seed': run.seed}
    _check_tests(run, cfg)
    for test in run.tests.values():
        refuse_options_in_vain(cfg, test)
    if run.trial is not None:
        hold_out(cfg, run.tuning.share)
    processes, note = _fit_batch(run, cfg, devices)
    settings = settings_of(cfg, tested=True)
    if processes > 1:
        settings['processes'] = str(processes)
    for weights in run.weights:
        _part_of(cfg, weights.part, run)
        source = plans[weights.run]
        settings[f'weights_from.{weights.part}'] = f'{weights.prefix}* of {source.config_hash[:12]}'
    return Plan(run, cfg, processes, note, settings, is_open)


def trial_scores(run: Run) -> dict[int, list[float]]:
    """Collect the scores of trials that are over, by the combination's number; the score of a diverged one is NaN."""
    scores: dict[int, list[float]] = {}
    for trial in run.trials:
        result = read_json(trial.folder / RESULT) or {}
        if result.get('state') in ('finished', 'diverged'):
            scores.setdefault(trial.trial, []).append(trial_score(result['state'], result['steps']))
    return scores


def best_values(run: Run) -> tuple[dict, bool]:
    """Choose the values of a run's best trials, as single values of its config, and tell whether all trials are over.

    There are no values before that, nor if no trial came to a score.
    """
    scores = trial_scores(run)
    are_over = sum(map(len, scores.values())) == len(run.trials)
    best = choose(scores) if are_over else None
    return ({} if best is None else run.tuning.candidates[best]), are_over


def _check_tests(run: Run, cfg: Config) -> None:
    """Refuse a config that could be trained and not tested."""
    for name in ('test_cfg', 'test_dataloader', 'test_evaluator'):
        if cfg.get(name) is None:
            raise UserError(f'{run.config} has no {name}, by which a suite tests what it has trained: add it')


def _fit_batch(run: Run, cfg: Config, devices: int) -> tuple[int, str | None]:
    """Choose as many processes as the learning rate is made for, or fewer and scale the rate; return them and a note.

    A config says by `auto_scale_lr.base_batch_size` what batch its learning rate is for, and by its dataloader how many
    images of it one process takes. A run that has begun keeps its number of processes on every machine.
    """
    begun = (read_json(run.folder / RUN) or {}).get('processes')
    base = (cfg.get('auto_scale_lr') or {}).get('base_batch_size')
    each = (cfg.get('train_dataloader') or {}).get('batch_size')
    if not base or not each:
        return run.processes or 1, None
    wanted = max(1, base // each)
    processes = run.processes or begun or min(wanted, devices)
    batch = processes * each
    if batch == base:
        return processes, None
    cfg.auto_scale_lr.enable = True  # mmengine multiplies the rate by batch / base
    rate = (cfg.get('optim_wrapper') or {}).get('optimizer', {}).get('lr')
    if not isinstance(rate, (int, float)):
        raise UserError(
            f'{run.config}: its batch of {base} images cannot be had with {processes} x {each}, and optimizer.lr is '
            f'{rate!r}, no number that could be scaled: set processes in the suite, or the learning rate'
        )
    return processes, (
        f'{run.config_key}: its learning rate {rate:g} is for a batch of {base} ({wanted} processes of {each}); here '
        f'{processes} x {each} = {batch} images make a batch, and the learning rate is {rate * batch / base:g}'
    )


def notes(plans: Iterable[Plan]) -> list[str]:
    """Collect how batches and learning rates differ from the configs, each sentence once."""
    return list(dict.fromkeys(plan.note for plan in plans if plan.note))


def _part_of(cfg: Config, part: str, run: Run) -> dict:
    """Find the config of a part of the model by its dotted name."""
    found = cfg.get('model') or {}
    for name in part.split('.'):
        found = found.get(name) if isinstance(found, Mapping) else None
        if not isinstance(found, Mapping):
            raise UserError(f"{run.config} cannot take weights_from '{part}': its model has no {part}")
    return found


def settle_changes(plans: Mapping[Run, Plan], redo: bool) -> None:
    """Refuse to mix results of different settings, or, with `redo`, clear the folders of runs whose settings changed.

    Raises:
        UserError: Without `redo`, when anything that was trained has other settings now.
    """
    changed = [plan for plan in plans.values() if plan.is_outdated]
    if changed and not redo:
        # A run that starts from a changed one has changed with it, and is not named as a cause.
        own = [plan for plan in changed if not any(plans[run].is_outdated for run in plan.run.needs)]
        causes = dict.fromkeys(
            differences(read_json(plan.run.folder / RUN)['settings'], plan.settings) for plan in own
        )
        names = ', '.join(plan.run.name for plan in changed[:3])
        names += f' and {len(changed) - 3} more' if len(changed) > 3 else ''
        raise UserError(
            f'{"; ".join(causes)} changed since {names} started: train what is affected anew with --redo (its old '
            'results are deleted), or keep them and choose another --work-dir'
        )
    for plan in changed:
        shutil.rmtree(plan.run.folder)


def write_steps(run: Run) -> None:
    """Write what a finished run is to do beside what it has done; its config and settings stay as they were."""
    write_json(run.folder / RUN, dict(read_json(run.folder / RUN), steps=run.steps))


def check_all_data(plans: Iterable[Plan]) -> None:
    """Refuse to start when the data of a config are not complete, before anything has been trained in vain.

    Raises:
        UserError: Names the first thing that is missing and how to get it.
    """
    # Here, as it builds data sets: `status` does without torch.
    from attn_plugins.datasets.check import LOADERS, check_data

    checked = set()
    for plan in plans:
        for options in ({}, *plan.run.tests.values()):
            cfg = Config(plan.cfg.to_dict(), filename=plan.cfg.filename)
            cfg.merge_from_dict(options)
            data = repr([cfg.get(loader) for loader in LOADERS])
            if data not in checked:
                check_data(cfg)
            checked.add(data)


def write_inputs(plan: Plan, suite: Suite, parallel: int) -> None:
    """Write what the run's process reads: config.py and run.json. The runs it needs have finished.

    Args:
        plan: The run, resolved.
        suite: Its suite.
        parallel: How many runs may run at a time, which its seconds depend on.

    Raises:
        UserError: The checkpoint of one of them is gone.
    """
    run, folder = plan.run, plan.run.folder
    folder.mkdir(parents=True, exist_ok=True)
    for failure in (folder / FAILURE, *folder.glob(RANK_FAILURES)):
        failure.unlink(missing_ok=True)
    cfg = Config(plan.cfg.to_dict())
    sources = []
    for weights in run.weights:
        checkpoint = latest_checkpoint(weights.run.folder)
        if checkpoint is None:
            raise UserError(
                f'{run.name} starts from weights of {weights.run.name}, whose checkpoint is gone: delete '
                f'{weights.run.folder} to train it again'
            )
        _part_of(cfg, weights.part, run)['init_cfg'] = dict(
            type='Pretrained', checkpoint=str(checkpoint), prefix=weights.prefix or None
        )
        sources.append(dict(part=weights.part, path=str(checkpoint), prefix=weights.prefix))
    cfg.dump(folder / CONFIG)
    write_json(
        folder / RUN,
        dict(
            name=run.name,
            suite=suite.name,
            suite_file=str(suite.path),
            config_key=run.config_key,
            config=relpath(run.config),
            preset=run.preset,
            seed=run.seed,
            processes=plan.processes,
            parallel=parallel,
            steps=run.steps,
            needs=[other.name for other in run.needs],
            weights=sources,
            config_hash=plan.config_hash,
            settings=plan.settings,
        ),
    )
