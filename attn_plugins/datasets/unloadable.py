"""Says in a sentence why a class cannot load its data: what is missing, which file is another, where it failed."""

import hashlib
import os
import traceback
from contextlib import suppress
from copy import deepcopy
from json import JSONDecodeError
from pathlib import Path
from pickle import UnpicklingError
from xml.etree.ElementTree import ParseError

from mmengine.registry import DATASETS
from torch.utils.data import Dataset

from attn_plugins.datasets.advice import advice_on, holds
from attn_plugins.datasets.sources import type_name
from attn_plugins.errors import UserError
from attn_plugins.explain import explain, said_by

# Errors that say that a file, and nothing else, is wrong.
PARSING = (JSONDecodeError, ParseError, UnicodeDecodeError, UnpicklingError, EOFError)


def why_not_built(config: dict, error: Exception) -> str:
    """Returns the sentence for a dataset that its class cannot load."""
    if isinstance(error, UserError):
        return str(error)
    if 'need at least one array' in str(error):  # mmengine's error for an empty list
        with suppress(Exception):  # if a class needs its files to be built, the config has to do
            return nothing_listed(config, DATASETS.build(dict(deepcopy(config), lazy_init=True)))
    if fault := _unlike_published(config):
        return f'{fault}: {advice_on(config, None)}'
    absent = _absent_paths(config, error)
    if absent:
        kind = 'file' if absent[0].suffix else 'folder'
        return f'the {kind} {absent[0]} is missing{holds(absent[0])}: {advice_on(config, absent[-1])}'
    if ' registry. Please check' in str(error) or 'unexpected keyword argument' in str(error):
        return explain(error)
    # The file that a parser failed at, else the list that the config names.
    listed = Path(config.get('data_root') or '', str(config.get('ann_file') or ''))
    file = (_file_in(error) if isinstance(error, PARSING) else None) or (listed if listed.is_file() else None)
    what = (
        f'{file} cannot be loaded by {type_name(config)}'
        if file
        else f'{type_name(config)} cannot load its data'
    )
    advice = 'put it right, --debug shows where' if file else advice_on(config, None)
    return f'{what} ({said_by(error)}): {advice}'


def _unlike_published(config: dict) -> str | None:
    """Finds the first file of mmpretrain's CIFAR or MNIST that is missing or differs from the published one."""
    kind = config.get('type')
    if not isinstance(kind, type):
        with DATASETS.switch_scope_and_registry(None) as registry:
            kind = registry.get(str(kind))
    listed = [*getattr(kind, 'train_list', ()), *getattr(kind, 'test_list', ())]
    if meta := getattr(kind, 'meta', None):
        listed.append((meta['filename'], meta['md5']))
    if not listed or not isinstance(config.get('data_prefix') or '', str):
        return None
    folder = Path(
        config.get('data_root') or '', config.get('data_prefix') or '', getattr(kind, 'base_folder', '')
    )
    for name, md5 in listed if folder.is_dir() else ():
        path = folder / name
        unpacked = path.with_name(name.removesuffix('.gz'))
        if unpacked != path and unpacked.is_file():
            continue
        if not path.is_file():
            return f'the file {unpacked} is missing{holds(unpacked)}'
        if hashlib.md5(path.read_bytes()).hexdigest() != md5:
            return f'{path} is not the published file: its MD5 sum is not {md5}'
    return None


def _file_in(error: Exception) -> str | None:
    """Returns the file that was being read when an error was raised."""
    for frame, _ in reversed(list(traceback.walk_tb(error.__traceback__))):
        for value in frame.f_locals.values():
            path = value if isinstance(value, str) else getattr(value, 'name', None)
            if (
                isinstance(path, str)
                and len(path) < 4096
                and not path.endswith('.py')
                and os.path.isfile(path)
            ):
                return path
    return None


def _absent_paths(config: dict, error: Exception) -> list[Path]:
    """Lists the missing paths that a class looked for: the first that a config names, and the last, from its error."""
    if isinstance(error, (TypeError, KeyError)):
        return []
    root = Path(config.get('data_root') or '')
    prefix = config.get('data_prefix') or {}
    folders = [prefix] if isinstance(prefix, str) else prefix.values()
    words = [
        root,
        *(root / part for part in (config.get('ann_file'), *folders) if isinstance(part, str) and part),
    ]
    absent = [path for path in words if path != Path() and '://' not in str(path) and not path.exists()]
    name = getattr(error, 'filename', None)
    if isinstance(error, FileNotFoundError) and name:
        # The root before what is in it.
        return [*(path for path in absent[:1] if Path(name).is_relative_to(path)), Path(name)]
    return absent[:2]


def nothing_listed(config: dict, dataset: Dataset) -> str:
    """Returns the sentence for a dataset whose list is empty."""
    classes = (getattr(dataset, 'metainfo', None) or {}).get('classes') or ()
    if config.get('filter_cfg') and classes:
        names = ', '.join(map(str, classes[:5]))
        return f'no image is left by its filter_cfg: none has what counts of the classes {names}'
    prefix = getattr(dataset, 'data_prefix', None) or {}
    folder = prefix.get('img_path') or prefix.get('img')
    suffix = getattr(dataset, 'img_suffix', None)
    if folder and suffix:
        first = Path(folder) / f'*{suffix}'
        return f'the folder {folder} holds no image *{suffix}{holds(first)}: {advice_on(config, first)}'
    return f'{type_name(config)} lists no image: {advice_on(config, None)}'
