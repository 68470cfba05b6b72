"""What a run will do, fixed before it starts: its resolved config, the hash that tells results apart, its inputs on disk."""

import hashlib
import json
import shutil
from dataclasses import dataclass
from os.path import relpath
from pathlib import Path

from mmengine.config import Config

from attn_plugins.benchmark.record import RESULT, RUN, read_json, write_json
from attn_plugins.benchmark.suite import Run, Suite
from attn_plugins.datasets import check
from attn_plugins.engine.checkpoint import latest_checkpoint
from attn_plugins.engine.config import load_config
from attn_plugins.errors import UserError


@dataclass(frozen=True)
class Plan:
    """A run with its resolved config.

    Attributes:
        run: The run.
        cfg: Its config, preset and seed put in.
        config_hash: Hash of the config and of that of the run it starts from. Work directories and checkpoint
            paths are no part of it, so a moved folder keeps its results.
        files: Config file -> SHA-256, of all files the config is made of.
    """

    run: Run
    cfg: Config
    config_hash: str
    files: dict[str, str]


def plan_suite(suite: Suite) -> dict[Run, Plan]:
    """Resolve the configs of all runs, in dependency order.

    Raises:
        UserError: A config cannot be what its run says it is (preset, options, `backbone_from`).
    """
    plans: dict[Run, Plan] = {}
    for run in suite.runs:
        cfg = load_config(run.config, attention=run.preset, cfg_options=run.cfg_options or None)
        cfg.randomness = {**cfg.get('randomness', {}), 'seed': run.seed}
        if run.needs and 'backbone' not in cfg.get('model', {}):
            raise UserError(f"{run.config} cannot take 'backbone_from': its model has no backbone")
        source = plans[run.needs].config_hash if run.needs else None
        plans[run] = Plan(run, cfg, _hash(cfg, source), _files_of(cfg))
    return plans


def _hash(cfg: Config, source: str | None) -> str:
    content = {key: value for key, value in cfg.to_dict().items() if key != 'work_dir'}
    text = json.dumps([content, source], sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()


def _files_of(cfg: Config) -> dict[str, str]:
    """The files a config is made of: mmengine puts the absolute name of each before its text."""
    paths = [Path(line) for line in cfg.text.splitlines() if line.startswith('/') and line.endswith('.py')]
    return {relpath(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths if path.is_file()}


def settle_changes(plans: dict[Run, Plan], redo: bool):
    """Refuse to mix results of different configs, or, with `redo`, clear the folders of runs whose config changed.

    Raises:
        UserError: Without `redo`, when anything that was trained has another config now.
    """
    changed = [plan for plan in plans.values() if _is_outdated(plan)]
    if changed and not redo:
        causes = list(dict.fromkeys(cause for plan in changed for cause in what_changed(plan)))
        names = ', '.join(plan.run.name for plan in changed[:3]) + (', ...' if len(changed) > 3 else '')
        raise UserError(
            f'{" and ".join(causes)} changed since {names} started: train what is affected anew with '
            '--redo (its old results are deleted), or keep them and choose another --work-dir'
        )
    for plan in changed:
        shutil.rmtree(plan.run.folder)


def _is_outdated(plan: Plan) -> bool:
    """Whether the folder holds training of another config. A run that failed before its first checkpoint holds none."""
    record = read_json(plan.run.folder / RUN)
    result = read_json(plan.run.folder / RESULT)
    holds_training = latest_checkpoint(plan.run.folder) or (result and result['state'] == 'finished')
    return bool(record and holds_training and record['config_hash'] != plan.config_hash)


def what_changed(plan: Plan) -> list[str]:
    """Names of what makes a run's config differ from the one its folder was made with."""
    before = read_json(plan.run.folder / RUN)['files']
    files = [name for name in {**before, **plan.files} if before.get(name) != plan.files.get(name)]
    if files:
        return files
    old = _flat(Config.fromfile(plan.run.folder / 'config.py').to_dict())
    new = _flat(plan.cfg.to_dict())
    keys = [key for key in {**old, **new} if old.get(key) != new.get(key) and 'init_cfg' not in key]
    return [f"the suite's option {key}" for key in keys] or [f'the config of {plan.run.needs.name}']


def _flat(tree: dict, prefix: str = '') -> dict[str, str]:
    flat = {}
    for key, value in tree.items():
        flat |= (
            _flat(value, f'{prefix}{key}.') if isinstance(value, dict) else {f'{prefix}{key}': repr(value)}
        )
    return flat


def check_data(plans: list[Plan]):
    """Refuse to start when the data of a run are not complete, before anything has been trained in vain.

    Raises:
        UserError: Names the first thing that is missing and how to get it.
    """
    for plan in {plan.run.config: plan for plan in plans}.values():
        check.check_data(plan.cfg)


def write_inputs(plan: Plan, suite: Suite):
    """Write what the run's process reads: config.py and run.json. The run it needs has finished."""
    run, folder = plan.run, plan.run.folder
    folder.mkdir(parents=True, exist_ok=True)
    before = read_json(folder / RUN) or {}
    if before.get('config_hash') != plan.config_hash:
        before = {}
    (folder / RESULT).unlink(missing_ok=True)
    cfg = Config(plan.cfg.to_dict())
    if run.needs:
        checkpoint = latest_checkpoint(run.needs.folder)
        if checkpoint is None:
            raise UserError(
                f'{run.name} starts from the backbone of {run.needs.name}, whose checkpoint is gone: '
                f'delete {run.needs.folder} to train it again'
            )
        cfg.model.backbone.init_cfg = dict(type='Pretrained', checkpoint=str(checkpoint), prefix='backbone.')
    cfg.dump(folder / 'config.py')
    train_cfg = cfg.get('train_cfg') or {}
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
            needs=run.needs.name if run.needs else None,
            config_hash=plan.config_hash,
            files=plan.files,
            max_epochs=train_cfg.get('max_epochs'),
            max_iters=train_cfg.get('max_iters'),
            train_seconds=before.get('train_seconds', 0.0),
            memory_mb=before.get('memory_mb', 0),
            step=before.get('step', 'train'),
        ),
    )
