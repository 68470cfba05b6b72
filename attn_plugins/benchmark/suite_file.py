"""Finds, reads and checks a suite's YAML file: one sentence for each thing that can be wrong in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import yaml

from attn_plugins.benchmark.seeds import MoreSeeds, read_seeds
from attn_plugins.benchmark.steps import fixed_names
from attn_plugins.benchmark.suite_checks import (
    EXAMPLES,
    check_keys,
    check_mapping,
    check_options,
    check_positive,
    find_file,
)
from attn_plugins.benchmark.suite_comparisons import Pair, read_comparisons, read_controls
from attn_plugins.benchmark.suite_presets import Preset, read_presets
from attn_plugins.benchmark.tuning import HELD_OUT, Tuning, read_tuning
from attn_plugins.errors import UserError
from attn_plugins.files import read_yaml
from attn_plugins.mim import CONFIGS
from attn_plugins.registry import nearest

# Of the suite, or of a config in place of the suite's.
SHARED_KEYS = (
    'seeds',
    'presets',
    'controls',
    'comparisons',
    'margin',
    'spread',
    'processes',
    'tune',
    'tune_share',
    'tune_seeds',
)
SUITE_KEYS = ('name', 'about', 'configs', *SHARED_KEYS)
ENTRY_KEYS = ('config', 'weights_from', 'cfg_options', 'tests', *SHARED_KEYS)
SOURCE_KEYS = ('config', 'preset', 'prefix')
# The test of a config that names none.
TEST = 'test'


@dataclass(frozen=True)
class ConfigEntry:
    """What a suite says of a config, itself or for all configs; `Run` and `Suite` say what each of it is (suite.py)."""

    config: Path
    presets: list[Preset]
    seeds: list[int]
    more_seeds: MoreSeeds | None
    cfg_options: dict
    weights_from: dict[str, dict]
    tests: dict[str, dict]
    tuning: Tuning | None
    processes: int | None
    margin: float | None
    spread: float | None
    controls: dict[str, list[str]]
    comparisons: list[Pair]


def read_suite_file(path: Path) -> tuple[str, str, dict[str, ConfigEntry]]:
    """Read the suite's name, what it is about, and its configs: what is needed comes before what needs it.

    Raises:
        UserError: The file is no YAML or says something that no run can be made of.
    """
    content = _read_yaml(path)
    check_keys(content, SUITE_KEYS, f'suite {path}')
    for key in ('name', 'configs'):
        if not content.get(key):
            raise UserError(f"suite {path} has no '{key}': every suite has a name and at least one config")
    if not isinstance(content['name'], str) or '/' in content['name'] or not content['name'].strip('. '):
        raise UserError(f"suite {path}: 'name' must be one word, it names the folder of the runs")
    about = content.get('about', '')
    if not isinstance(about, str):
        raise UserError(f"suite {path}: 'about' must be text, which the report begins with")
    entries = _check_entries(content, path)
    return (
        content['name'],
        ' '.join(about.split()),
        {key: entries[key] for key in _in_dependency_order(entries, path)},
    )


def find_suite(path: str | Path) -> Path:
    """Find a suite's file: a path, or the name of a suite of this package."""
    path, shipped = Path(path), CONFIGS / 'suites'
    if path.is_file():
        return path
    if path.name == str(path) and (shipped / f'{path.stem}.yml').is_file():
        return shipped / f'{path.stem}.yml'
    others = [str(file) for file in sorted(path.parent.glob('*.y*ml'))]
    others += [file.stem for file in sorted(shipped.glob('*.yml'))]
    raise UserError(f'there is no suite {path}: {nearest(path, others)}')


def _read_yaml(path: Path) -> dict:
    try:
        content = read_yaml(path)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        where = f' (line {error.problem_mark.line + 1})' if getattr(error, 'problem_mark', None) else ''
        raise UserError(
            f'suite {path} is no valid YAML{where}: {getattr(error, "problem", error)}'
        ) from error
    if not isinstance(content, dict):
        raise UserError(f'suite {path} must be a mapping with the keys {", ".join(SUITE_KEYS)}')
    return content


def _check_entries(content: dict, path: Path) -> dict[str, ConfigEntry]:
    """Check what `configs` says and fill in what the suite says for all of them."""
    configs = content['configs']
    if not isinstance(configs, dict):
        raise UserError(
            f"suite {path}: 'configs' must map a key to a config, e.g. detection: {{config: PATH}}"
        )
    entries = {}
    for key, entry in configs.items():
        where = f"suite {path}, config '{key}'"
        if not isinstance(entry, dict) or not isinstance(entry.get('config'), str) or not entry['config']:
            raise UserError(f'{where} does not say which config it is: write {key}: {{config: PATH}}')
        if str(key) in entries:
            raise UserError(
                f'{where}: there are two of the name {key}, as a word and as a number: rename one'
            )
        if '/' in str(key) or not str(key).strip('. '):
            raise UserError(f"{where}: a config's key names a folder, so it must not contain '/'")
        check_keys(entry, ENTRY_KEYS, where)
        options = check_options(entry.get('cfg_options'), 'cfg_options', where)
        seeds, more_seeds = read_seeds(entry, content, where)
        presets = read_presets(entry, content, options, path, where)
        entries[str(key)] = dict(
            config=find_file(entry['config'], path, where, 'config'),
            weights_from=_check_weights(entry.get('weights_from'), where),
            presets=presets,
            seeds=seeds,
            more_seeds=more_seeds,
            tuning=read_tuning(entry, content, presets, where),
            cfg_options=options,
            tests=_check_tests(entry.get('tests'), where),
            processes=_check_processes(entry.get('processes', content.get('processes')), where),
            margin=check_positive(entry, content, 'margin', where),
            spread=check_positive(entry, content, 'spread', where),
        )
    trained = {key: [preset.name for preset in entry['presets']] for key, entry in entries.items()}

    def own(name: str) -> dict:
        return {str(key): entry[name] for key, entry in configs.items() if name in entry}

    controls = read_controls(content.get('controls'), own('controls'), trained, path)
    comparisons = read_comparisons(content.get('comparisons'), own('comparisons'), trained, controls, path)
    return {
        key: ConfigEntry(**entry, controls=controls[key], comparisons=comparisons[key])
        for key, entry in entries.items()
    }


def _check_tests(value, where: str) -> dict[str, dict]:
    tests = {str(name): options or {} for name, options in check_mapping(value, 'tests', where).items()}
    for name, options in tests.items():
        if name in (*fixed_names(), HELD_OUT) or not isinstance(options, dict):
            raise UserError(
                f"{where}: 'tests' maps a name of its own to options of the config, as {EXAMPLES['tests']}, "
                f'not {name}: {options!r}'
            )
    return tests or {TEST: {}}


def _check_weights(value, where: str) -> dict[str, dict]:
    """Read `weights_from`: part of the model -> dict(config=..., preset=... or None for the same, prefix=...)."""
    sources = {}
    for part, source in check_mapping(value, 'weights_from', where).items():
        source = source if isinstance(source, dict) else dict(config=source)
        check_keys(source, SOURCE_KEYS, f"{where}, weights_from '{part}'")
        if not isinstance(source.get('prefix', ''), str):
            raise UserError(
                f"{where}, weights_from '{part}': 'prefix' is the beginning of names, not {source['prefix']!r}"
            )
        if not isinstance(source.get('config'), str):
            raise UserError(f"{where}, weights_from '{part}' does not say which config: write {part}: KEY")
        sources[str(part)] = dict(dict(preset=None, prefix=f'{part}.'), **source)
    return sources


def _check_processes(value, where: str) -> int | None:
    if value is not None and (type(value) is not int or value < 1):
        raise UserError(f"{where}: 'processes' must be a number from 1 up, not {value!r}")
    return value


def _in_dependency_order(entries: Mapping[str, ConfigEntry], path: Path) -> list[str]:
    """Sort keys so that what `weights_from` names comes first, else as they stand."""
    graph = {}
    for key, entry in entries.items():
        graph[key] = [source['config'] for source in entry.weights_from.values()]
        for source in graph[key]:
            if source not in entries:
                raise UserError(
                    f"suite {path}, config '{key}': weights_from names '{source}', which is no config of "
                    f'the suite: {nearest(source, entries)}'
                )
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        circle = ' -> '.join(reversed(error.args[1]))
        raise UserError(f'suite {path}: weights_from goes in a circle: {circle}') from error
