"""Checks the lists, mappings, keys, options and files of a suite's YAML file; refuses each in one sentence."""

import math
import re
from pathlib import Path

from attn_plugins.errors import UserError
from attn_plugins.mim import CONFIGS
from attn_plugins.registry import nearest

# What a list or mapping of a suite looks like.
EXAMPLES = dict(
    seeds='[0, 1, 2]',
    presets='[none, ca]',
    variant='{wide: {preset: none, cfg_options: {model.backbone.widen_factor: 0.6}}}',
    controls='{se: [se_mean, wide]}',
    comparisons='[se, [ca, se]]',
    cfg_options='{train_cfg.max_epochs: 3}',
    tune='{optim_wrapper.optimizer.lr: [0.01, 0.03]}',
    weights_from='{backbone: classification}',
    tests='{clean: {}, large: {test_dataloader.batch_size: 8}}',
)


def check_list(entry: dict, content: dict, key: str, kinds: tuple[type, ...], where: str) -> list:
    """Check the entry's own list, or the suite's: at least one value, each of one of the kinds, none twice."""
    values = entry.get(key, content.get(key))
    if values is None and key not in entry and key not in content:
        raise UserError(f"{where}: neither the config nor the suite has '{key}', as {EXAMPLES[key]}")
    # `none` is a word in YAML, but `null`, `~` and an empty item are not.
    if not isinstance(values, list) or not values or not all(type(value) in kinds for value in values):
        raise UserError(f"{where}: '{key}' must be a list like {EXAMPLES[key]}, not {values!r}")
    for i, value in enumerate(values):
        if value in values[:i]:
            raise UserError(f"{where}: '{key}' names {value!r} twice")
    return values


def check_mapping(value, key: str, where: str) -> dict:
    """Check that a value is a mapping; None is an empty one."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UserError(f"{where}: '{key}' must be a mapping like {EXAMPLES[key]}, not {value!r}")
    return value


def check_options(value, key: str, where: str) -> dict:
    """Check a mapping of single values of a config, which the suite itself may not set by another way."""
    options = check_mapping(value, key, where)
    for name, option in options.items():
        if not isinstance(name, str):
            raise UserError(
                f"{where}: '{key}' maps names of the config to values, as {EXAMPLES['cfg_options']}, not {name!r}"
            )
        if name in ('randomness.seed', 'work_dir'):
            raise UserError(
                f"{where}: '{key}' sets {name}: leave that to the suite's seeds and to --work-dir"
            )
        if isinstance(option, str) and re.fullmatch(r'[-+]?\d+[eE][-+]?\d+', option):
            raise UserError(
                f"{where}: '{key}' sets {name} to the text {option!r}: YAML reads a number from {float(option)!r}"
            )
    return options


def check_positive(entry: dict, content: dict, key: str, where: str) -> float | None:
    """Check the entry's own number of points, or the suite's; None where there is none."""
    value = entry.get(key, content.get(key))
    if value is not None and (type(value) not in (int, float) or not 0 < value < math.inf):
        raise UserError(f"{where}: '{key}' must be a positive number of points, as {key}: 0.5, not {value!r}")
    return value


def check_keys(mapping: dict, known: tuple[str, ...], where: str) -> None:
    """Check that a mapping has no other keys than the known ones."""
    for key in mapping:
        if key not in known:
            raise UserError(f"{where} has an unknown key '{key}': {nearest(key, known)}")


def find_file(name: str, suite: Path, where: str, kind: str) -> Path:
    """Find a file by its path from the current directory, from a folder the suite lies in, or from this package."""
    for base in (Path(), *suite.resolve().parents, CONFIGS.parent):
        if (base / name).is_file():
            return base / name
    near = [str(file) for folder in (Path(name).parent, suite.parent) for file in sorted(folder.glob('*.py'))]
    near = near or [str(file.relative_to(CONFIGS.parent)) for file in CONFIGS.glob('*/*.py')]
    raise UserError(f'{where}: there is no {kind} {name}: {nearest(name, near)}')
