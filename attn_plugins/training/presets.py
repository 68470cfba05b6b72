"""Finds attention presets by name or by the path of the file with `attention = [...]`, and the one a config used."""

import difflib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmengine.config import Config

from attn_plugins.errors import UserError
from attn_plugins.mim import CONFIGS, VARIABLE
from attn_plugins.registry import nearest

PRESETS = Path('_base_', 'attention')
# mmengine appends the variable to the path of a folder that may be anywhere: this leads to the root from every folder,
# since the parent of the root is the root, even through symbolic links.
ROOT = '../' * 40


def preset_name(attention: str) -> str:
    """Returns a preset's name for tables and folders, also if its path is given."""
    return Path(attention).name.removesuffix('.py')


def preset_names(folder: Path | None = None) -> list[str]:
    """Lists the presets of a folder, by default those of this package, in alphabetical order."""
    return sorted(file.stem for file in (folder or CONFIGS / PRESETS).glob('*.py'))


def preset_of(cfg: Config) -> str | None:
    """Returns the preset that was chosen when the config was loaded, None if the config's default was used."""
    chosen = cfg.env_variables.get(VARIABLE)
    return None if chosen is None else preset_name(chosen)


@contextmanager
def preset_in_environment(attention: str | None) -> Iterator[None]:
    """Sets the variable while a config is read, and restores its old value."""
    if attention is None:
        yield
        return
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = _from_any_folder(attention) if _is_path(attention) else attention
    try:
        yield
    finally:
        os.environ.pop(VARIABLE)
        if before is not None:
            os.environ[VARIABLE] = before


def _is_path(attention: str) -> bool:
    return attention.endswith('.py')


def _from_any_folder(attention: str) -> str:
    """Returns the path of a preset's file, without suffix, in a form that a config can append to any folder."""
    path = Path(attention).expanduser()
    if not path.is_file():
        others = sorted(map(str, path.parent.glob('*.py')))
        raise UserError(
            f'there is no attention preset {attention}: '
            + (
                nearest(str(path), others)
                if others
                else 'give the path of a .py file that has attention = [...]'
            )
        )
    if set(str(path.absolute())) & set('\'"\\{}'):
        raise UserError(
            f'{attention} has quotes, braces or backslashes in its path: rename the file or its folder'
        )
    return ROOT + os.path.abspath(path).lstrip('/').removesuffix('.py')


def check_takes_preset(cfg: Config, path: Path, attention: str) -> None:
    """Refuses a preset that the config cannot take: its layers are fixed, or it has no place for a preset."""
    if preset_of(cfg) is not None:
        return
    if 'attention' not in cfg:
        if attention == 'none':  # the config is that of the plain model
            return
        raise UserError(
            f'{path} takes no preset but none, so not {attention}: choose a config that does, or let it take '
            'them as docs/presets.md shows'
        )
    folder = next(
        (parent / PRESETS for parent in path.resolve().parents if (parent / PRESETS).is_dir()),
        CONFIGS / PRESETS,
    )
    file = Path(attention).expanduser() if _is_path(attention) else folder / f'{attention}.py'
    if not file.is_file():
        raise UserError(unknown_preset(attention, folder))
    if Config.fromfile(file).get('attention') != cfg.attention:
        raise UserError(
            f'{path} is fixed to {_layers(cfg.attention)}, so it does not take {attention}: choose a config '
            'that takes any preset'
        )


def _layers(attention: list | dict | None) -> str:
    """Names the layers of a preset, for messages."""
    lists = attention.values() if isinstance(attention, dict) else [attention or []]
    types = dict.fromkeys(str(entry['cfg']['type']) for entries in lists for entry in entries)
    return ' and '.join(types) or 'no attention'


def no_attention(path: Path, attention: str | None) -> str:
    return (
        f'{path} takes attention from a preset, and {attention or "its own"} has none: write attention = '
        "[dict(cfg=dict(type='attn_plugins.SE'))] there"
    )


def unknown_preset(name: str, folder: Path) -> str:
    names = preset_names(folder)
    close = difflib.get_close_matches(name, names, n=1)
    meant = f', did you mean {close[0]}' if close else ''
    known = f'choose from {", ".join(names)}, or' if names else f'there are none in {folder},'
    return (
        f"there is no attention preset {name!r}{meant}: {known} give the path of your own preset's .py file"
    )
