"""Writes text files all at once, JSON that every reader accepts, and reads YAML without losing duplicate keys."""

import json
import math
import os
from pathlib import Path
from typing import Any

import yaml

MERGE = 'tag:yaml.org,2002:merge'  # the tag of the key `<<`


def write_text(path: str | Path, text: str) -> None:
    """Writes a file so that a reader, a kill at any moment or a power cut finds either the old or the new content."""
    path = Path(path)
    part = path.with_name(f'{path.name}.{os.getpid()}.part')
    try:
        with part.open('w') as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_json(path: str | Path, content: Any, indent: int = 1) -> None:
    """Writes a JSON file as :func:`write_text` does.

    JSON has no non-finite numbers: they become 'nan', 'inf' and '-inf', which `float` reads.
    """
    write_text(path, json.dumps(_strict(content), indent=indent, allow_nan=False) + '\n')


def read_json(path: str | Path) -> dict | None:
    """Reads a JSON object; None if the file is missing or contains none, as after a full disk cut off the writing."""
    try:
        content = json.loads(Path(path).read_text())
    except (FileNotFoundError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _strict(content: Any) -> Any:
    """Replaces the numbers that JSON does not have by words."""
    if isinstance(content, dict):
        return {key: _strict(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_strict(value) for value in content]
    if isinstance(content, float) and not math.isfinite(content):
        return str(content)
    return content


def read_yaml(path: str | Path) -> Any:
    """Reads a YAML file.

    Raises:
        yaml.YAMLError: It is no YAML, or a key occurs twice, of which YAML's own loader silently drops the first.
    """
    return yaml.load(Path(path).read_text(), _StrictLoader)


class _StrictLoader(yaml.SafeLoader):
    """A loader that refuses duplicate keys."""


def _mapping(loader: _StrictLoader, node: yaml.MappingNode) -> dict:
    # `<<` merges another mapping, whose keys may occur here again.
    keys = [key for key, _ in node.value if key.tag != MERGE]
    names = [loader.construct_object(key, deep=True) for key in keys]
    for i, name in enumerate(names):
        if name in names[:i]:
            raise yaml.constructor.ConstructorError(None, None, f'{name!r} stands twice', keys[i].start_mark)
    return yaml.SafeLoader.construct_mapping(loader, node, deep=True)


_StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
