"""Loads a config with an attention preset; a misspelt name is answered in one sentence with the nearest valid one."""

import difflib
import logging
import os
import re
from pathlib import Path

from mmengine.config import Config
from mmengine.logging import print_log

from attn_plugins.errors import UserError
from attn_plugins.mim import CONFIGS, VARIABLE
from attn_plugins.registry import nearest
from attn_plugins.training.presets import (
    PRESETS,
    check_takes_preset,
    no_attention,
    preset_in_environment,
    preset_of,
    unknown_preset,
)
from attn_plugins.training.variables import refuse_options_in_vain, refuse_variables_in_vain

SUFFIXES = ('.py', '.yml', '.yaml', '.json')


def load_config(path: str | Path, attention: str | None = None, cfg_options: dict | None = None) -> Config:
    """Reads a config file and applies an attention preset and single values to it.

    Args:
        path (str or Path): The config file.
        attention (str, optional): Name of a preset in the folder that the config takes its presets from, or the path of
            a preset's file, which ends with `.py`. None leaves it to the environment variable ATTENTION, which may be
            either too, and to the config's own default.
        cfg_options (dict, optional): `{'train_cfg.max_epochs': 1}`, as OpenMMLab's `--cfg-options`.

    Returns:
        Config: The whole config.

    Raises:
        UserError: The file or the preset does not exist, the file cannot be read, it imports what cannot be found, it
            fixes another preset, or a value or an option comes too late to change anything.
    """
    path = Path(path)
    if path.is_dir():
        raise UserError(f'{path} is a folder: give the path of a config file')
    if not path.is_file():
        raise UserError(f'there is no config {path}{_nearest_config(path)}')
    if path.suffix not in SUFFIXES:
        raise UserError(f'{path} is no config: give the path of a .py file')
    chosen = os.environ.get(VARIABLE) if attention is None else attention
    with preset_in_environment(chosen):
        try:
            cfg = Config.fromfile(path)
        except FileNotFoundError as error:
            raise UserError(_missing_base(path, error, chosen)) from error
        except ImportError as error:
            raise UserError(_missing_import(path, error)) from error
        except Exception as error:  # a config is a program: whatever it raises is a fault in it
            if isinstance(error, KeyError) and error.args[0] == 'attention':
                raise UserError(no_attention(path, chosen)) from error
            reason = error.args[0] if error.args and isinstance(error.args[0], str) else error
            raise UserError(
                f'{path} cannot be read ({type(error).__name__}: {reason}): put it right, --debug shows where'
            ) from error
    if attention is not None:
        check_takes_preset(cfg, path, attention)
    refuse_variables_in_vain(cfg)
    if cfg_options:
        _check_options(cfg_options)
        refuse_options_in_vain(cfg, cfg_options)
        try:
            cfg.merge_from_dict(cfg_options)
        except Exception as error:  # a key below a value that is no dict, an index beyond a list
            reason = str(error.args[0] if error.args else error).splitlines()[0]
            raise UserError(
                f'--cfg-options {" ".join(cfg_options)} cannot be put into {path} as it is with its preset '
                f'({reason}): put the names right'
            ) from error
    if attention is None and chosen is not None and preset_of(cfg) is None:
        print_log(
            f'{path} takes no presets, so {VARIABLE}={chosen} changes nothing', 'current', logging.WARNING
        )
    return cfg


def _check_options(cfg_options: dict) -> None:
    """Refuses options that would change nothing: the preset is applied before options are merged."""
    late = next((key for key in cfg_options if key.split('.')[0] == 'attention'), None)
    if late is not None:
        # Applies to the list of entries, or to the lists for several hosts, unless an option of the only layer is
        # meant.
        where = re.match(r'attention(\.([A-Z]\w*\.|others\.)?\d+\b.*|$)', late)
        place = late.replace('attention', 'model.backbone.plugins' + ('' if where else '.0.cfg'), 1)
        raise UserError(
            f'--cfg-options {late} comes too late, the layer is in its place by then: change {place}'
        )


def leaf_configs() -> list[Path]:
    """Lists every config that can be run, in alphabetical order: those of ./configs, else of the package."""
    root = Path('configs') if Path('configs').is_dir() else CONFIGS
    return sorted(file for file in root.glob('*/*.py') if '_base_' not in file.parts)


def _missing_base(path: Path, error: FileNotFoundError, attention: str | None) -> str:
    """Says which of the files that a config is built on is missing: a preset or another base file."""
    # mmengine's check_file_exist: 'file "configs/x.py" does not exist'.
    said = re.fullmatch(r'file "(.+)" does not exist', str(error))
    missing = Path(os.path.normpath(said[1] if said else error.filename or path))
    chosen = attention is not None and missing.stem == Path(attention).name
    if chosen or missing.parent.parts[-2:] == PRESETS.parts:
        folder = next(parent for parent in missing.parents if parent.is_dir())
        return unknown_preset(attention or missing.stem, folder)
    return f'{path} is built on {missing}, which does not exist: put its _base_ right'


def _missing_import(path: Path, error: ImportError) -> str:
    """Names the module that a config imports, itself or with custom_imports, and that is not found."""
    # The first of a chain: mmengine wraps it in another one that lists sys.path.
    while isinstance(cause := error.__cause__ or error.__context__, ImportError):
        error = cause
    if not isinstance(error, ModuleNotFoundError) or error.name is None:
        return f'{path} imports what cannot be imported ({error}): put that right'
    return (
        f'{path} imports {error.name}, which is not found: put PYTHONPATH=FOLDER, the folder that holds it, before '
        'the command, or install it'
    )


def _nearest_config(path: Path) -> str:
    """Returns the end of the sentence: the existing config with the nearest name, as a path that can be typed."""
    near = [file for file in path.parent.glob('*.py') if file.is_file()]
    files = near + leaf_configs()
    by_name = {file.name: str(file) for file in reversed(files)}
    if not by_name:
        return ': give the path of a config file'
    close = difflib.get_close_matches(path.with_suffix('.py').name, by_name, n=1, cutoff=0.3)
    return f': did you mean {by_name[close[0]]}?' if close else f': {nearest(path.name, by_name)}'
