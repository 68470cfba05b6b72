"""Text files that are whole or as they were, JSON that every reader takes, and YAML without a key that is lost."""

import json
import math
import os
from pathlib import Path
from typing import Any

import yaml

MERGE = 'tag:yaml.org,2002:merge'  # of the key `<<`


def write_text(path: str | Path, text: str) -> None:
    """Writes a file so that a reader, a kill at any moment or a power cut leaves the old content or the new one."""
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

    JSON has no numbers that are not finite: they become 'nan', 'inf' and '-inf', which `float` reads.
    """
    write_text(path, json.dumps(_strict(content), indent=indent, allow_nan=False) + '\n')


def read_json(path: str | Path) -> dict | None:
    """Reads a record; None when it is absent, or is no record, as a full disk leaves a file that was being written."""
    try:
        content = json.loads(Path(path).read_text())
    except (FileNotFoundError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _strict(content: Any) -> Any:
    """The content with words for the numbers that JSON has none of."""
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
        yaml.YAMLError: It is none, or a key stands twice, of which YAML's own loader drops the first without a word.
    """
    return yaml.load(Path(path).read_text(), _StrictLoader)


class _StrictLoader(yaml.SafeLoader):
    """A loader that refuses a key that stands twice."""


def _mapping(loader: _StrictLoader, node: yaml.MappingNode) -> dict:
    # `<<` merges another mapping, whose keys may stand here again.
    keys = [key for key, _ in node.value if key.tag != MERGE]
    names = [loader.construct_object(key, deep=True) for key in keys]
    for i, name in enumerate(names):
        if name in names[:i]:
            raise yaml.constructor.ConstructorError(None, None, f'{name!r} stands twice', keys[i].start_mark)
    return yaml.SafeLoader.construct_mapping(loader, node, deep=True)


_StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
