"""A suite: a YAML file that names a matrix of configs x presets x seeds, read, checked and expanded to runs."""

from dataclasses import dataclass, field
from pathlib import Path

import yaml

from attn_plugins.engine.config import preset_names
from attn_plugins.errors import UserError
from attn_plugins.registry import nearest

SUITE_KEYS = ('name', 'seeds', 'presets', 'configs')
ENTRY_KEYS = ('config', 'backbone_from', 'presets', 'seeds', 'cfg_options')
# The preset that every other one is compared with.
BASELINE = 'none'


@dataclass(frozen=True)
class Run:
    """One (config, preset, seed): trains, tests and leaves a result in its folder."""

    config_key: str
    preset: str
    seed: int
    config: Path
    folder: Path
    cfg_options: dict = field(default_factory=dict, hash=False, compare=False)
    needs: 'Run | None' = None

    @property
    def name(self) -> str:
        """Name of the run within its suite, e.g. 'detection/ca/seed0'."""
        return f'{self.config_key}/{self.preset}/seed{self.seed}'


@dataclass(frozen=True)
class Suite:
    """A checked suite. `runs` is in dependency order: what a run needs comes before it."""

    name: str
    path: Path
    folder: Path
    runs: tuple[Run, ...]

    @property
    def config_keys(self) -> list[str]:
        """Config keys in the order of the runs."""
        return list(dict.fromkeys(run.config_key for run in self.runs))


def read_suite(path: str | Path, work_dir: str | Path | None = None) -> Suite:
    """Read and check a suite file.

    Args:
        path: The YAML file.
        work_dir: Folder of the suite's runs; `work_dirs/<name>` by default.

    Raises:
        UserError: The file is missing, is no YAML or says something that no run can be made of.
    """
    path = Path(path)
    content = _read_yaml(path)
    _check_keys(content, SUITE_KEYS, f'suite {path}')
    for key in ('name', 'configs'):
        if not content.get(key):
            raise UserError(f"suite {path} has no '{key}': every suite has a name and at least one config")
    if not isinstance(content['name'], str) or '/' in content['name']:
        raise UserError(f"suite {path}: 'name' must be one word, it names the folder of the runs")
    folder = Path(work_dir) if work_dir else Path('work_dirs') / content['name']
    entries = _check_entries(content, path)
    runs: dict[tuple, Run] = {}
    for key in _in_dependency_order(entries, path):
        entry = entries[key]
        for seed in entry['seeds']:
            for preset in entry['presets']:
                runs[key, preset, seed] = Run(
                    config_key=key,
                    preset=preset,
                    seed=seed,
                    config=entry['config'],
                    folder=folder / key / preset / f'seed{seed}',
                    cfg_options=entry['cfg_options'],
                    needs=_needed_run(runs, key, entry['backbone_from'], preset, seed, path),
                )
    return Suite(content['name'], path, folder, tuple(runs.values()))


def _read_yaml(path: Path) -> dict:
    if not path.is_file():
        others = sorted(path.parent.glob('*.y*ml')) if path.parent.is_dir() else []
        raise UserError(
            f'there is no suite {path}: '
            + (nearest(path, map(str, others)) if others else 'give the path of a YAML file')
        )
    try:
        content = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        where = f' (line {error.problem_mark.line + 1})' if getattr(error, 'problem_mark', None) else ''
        raise UserError(
            f'suite {path} is no valid YAML{where}: {getattr(error, "problem", error)}'
        ) from error
    if not isinstance(content, dict):
        raise UserError(f'suite {path} must be a mapping with the keys {", ".join(SUITE_KEYS)}')
    return content


def _check_entries(content: dict, path: Path) -> dict[str, dict]:
    """Check what `configs` says and fill in the suite's own presets and seeds."""
    configs = content['configs']
    if not isinstance(configs, dict):
        raise UserError(
            f"suite {path}: 'configs' must map a key to a config, e.g. detection: {{config: PATH}}"
        )
    entries = {}
    for key, entry in configs.items():
        where = f"suite {path}, config '{key}'"
        if not isinstance(entry, dict) or not entry.get('config'):
            raise UserError(f'{where} does not say which config it is: write {key}: {{config: PATH}}')
        if '/' in str(key):
            raise UserError(f"{where}: a config's key names a folder, so it must not contain '/'")
        _check_keys(entry, ENTRY_KEYS, where)
        presets = _check_list(entry.get('presets', content.get('presets')), str, 'presets', where)
        for preset in presets:
            if preset not in preset_names():
                raise UserError(f"{where}: there is no preset '{preset}': {nearest(preset, preset_names())}")
        entries[str(key)] = dict(
            config=_find_config(entry['config'], path, where),
            backbone_from=entry.get('backbone_from'),
            presets=presets,
            seeds=_check_list(entry.get('seeds', content.get('seeds')), int, 'seeds', where),
            cfg_options=entry.get('cfg_options') or {},
        )
    return entries


def _check_list(values, kind: type, key: str, where: str) -> list:
    example = '[0, 1, 2]' if kind is int else '[none, ca]'
    # `none` is a word in YAML, but `null`, `~` and an empty item are not.
    if not isinstance(values, list) or not values or not all(type(value) is kind for value in values):
        raise UserError(f"{where}: '{key}' must be a list like {example}, not {values!r}")
    if len(set(values)) < len(values):
        raise UserError(f"{where}: '{key}' names {_first_double(values)!r} twice")
    return values


def _first_double(values: list):
    return next(value for i, value in enumerate(values) if value in values[:i])


def _check_keys(mapping: dict, known: tuple[str, ...], where: str):
    for key in mapping:
        if key not in known:
            raise UserError(f"{where} has an unknown key '{key}': {nearest(key, known)}")


def _find_config(config: str, suite: Path, where: str) -> Path:
    """A config's path is relative to the current directory or to the repository the suite lies in."""
    for base in (Path(), *suite.resolve().parents):
        if (base / config).is_file():
            return base / config
    near = [str(p) for p in sorted(Path(config).parent.glob('*.py'))] or [
        str(p) for p in Path('configs').glob('*/*.py')
    ]
    raise UserError(f'{where}: there is no config {config}: {nearest(config, near)}')


def _in_dependency_order(entries: dict[str, dict], path: Path) -> list[str]:
    """Keys so that what `backbone_from` names comes first."""
    ordered: list[str] = []

    def visit(key: str, chain: tuple[str, ...]):
        if key in chain:
            raise UserError(f'suite {path}: backbone_from goes in a circle: {" -> ".join((*chain, key))}')
        source = entries[key]['backbone_from']
        if source is not None and source not in entries:
            raise UserError(
                f"suite {path}, config '{key}': backbone_from names '{source}', which is no config of "
                f'the suite: {nearest(source, entries)}'
            )
        if source is not None:
            visit(source, (*chain, key))
        if key not in ordered:
            ordered.append(key)

    for key in entries:
        visit(key, ())
    return ordered


def _needed_run(runs: dict, key: str, source: str | None, preset: str, seed: int, path: Path) -> Run | None:
    if source is None:
        return None
    if (source, preset, seed) not in runs:
        raise UserError(
            f"suite {path}: '{key}' with preset '{preset}' and seed {seed} needs the backbone of "
            f"'{source}' with the same preset and seed, which the suite does not train; add them there"
        )
    return runs[source, preset, seed]
