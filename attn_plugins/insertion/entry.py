"""One entry of `plugins=`: what goes in, and where, checked before anything is put in."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from attn_plugins.errors import InsertionError
from attn_plugins.layers.conv.base import ConvLike
from attn_plugins.layers.norm.base import NormLayer
from attn_plugins.registry import MODELS, find_type, nearest

PLACES = ('position', 'after', 'before', 'replace')
WORDS = ('cfg', 'stages', 'share', 'start', 'norm', *PLACES)


@dataclass
class Entry:
    """An entry, read.

    Attributes:
        cfg: The layer's config, without `postfix`.
        postfix: Behind the layer's name in the state dict.
        word: What says where: one of `position`, `after`, `before`, `replace`, `norm`.
        where: Its value.
        stages: The switches, or None.
        share: 'stage' or None.
        identity: Whether the layer starts as the identity.
    """

    cfg: dict
    postfix: str
    word: str
    where: Any
    stages: Sequence | None
    share: str | None
    identity: bool

    @property
    def name(self) -> str:
        """The layer's type, for messages."""
        return _name(self.cfg)

    def is_a(self, kind: type) -> bool:
        """Whether the layer is of a class."""
        return _is_a(self.cfg, kind)


def read_entries(plugins: Sequence[dict] | None) -> list[Entry]:
    """The entries of `plugins=` that put something in.

    Raises:
        InsertionError: One is malformed.
    """
    if plugins is None:
        return []
    if not _is_list(plugins):
        raise InsertionError(
            f'plugins= is a list of entries, not a {type(plugins).__name__}: write plugins=[dict(...)]'
        )
    entries = [_read(entry) for entry in plugins]
    return [entry for entry in entries if entry is not None]


def _read(entry: dict) -> Entry | None:
    if not isinstance(entry, dict):
        raise InsertionError(
            f"an entry of plugins is a dict(cfg=dict(type='attn_plugins.SE'), ...), not {entry!r}"
        )
    if 'type' in entry:
        raise InsertionError(
            f'an entry of plugins names its layer under cfg: dict(cfg=dict(type={entry["type"]!r}, ...), position=...)'
        )
    for word in entry:
        if word not in WORDS:
            raise InsertionError(f'an entry of plugins has no {word!r}: {nearest(word, WORDS)}')
    if 'cfg' not in entry:
        raise InsertionError("an entry of plugins needs cfg=, the layer's config, or cfg=None for no layer")
    if entry['cfg'] is None:
        return None
    cfg, postfix = _read_cfg(entry['cfg'])
    given = [word for word in PLACES if entry.get(word) is not None]
    name = _name(cfg)
    if _is_a(cfg, NormLayer):
        if entry.get('norm') is None:
            raise InsertionError(f"{name} is a norm layer: say which norms it replaces, as norm='main'")
        word = 'norm'
        # Beside a position, which serves another preset, the stages are the position's.
        stages = None if given else _switches(entry.get('stages'))
    else:
        if len(given) != 1:
            raise InsertionError(
                f'{name} needs exactly one of position=, after=, before= and replace=, but has '
                f'{", ".join(given) or "none"}'
            )
        word = given[0]
        stages = _switches(entry.get('stages'))
    _check(entry, cfg, word, stages, name)
    return Entry(
        cfg, postfix, word, entry[word], stages, entry.get('share'), entry.get('start') == 'identity'
    )


def _read_cfg(cfg: Any) -> tuple[dict, str]:
    """The layer's config and the postfix of its name."""
    if isinstance(cfg, (str, type)):
        cfg = dict(type=cfg)
    if not isinstance(cfg, dict) or cfg.get('type') is None:
        raise InsertionError(
            f"cfg= of an entry of plugins needs a type, as cfg=dict(type='attn_plugins.SE'), not {cfg!r}"
        )
    cfg = dict(cfg)
    kind = cfg['type']
    if kind == '' or isinstance(kind, nn.Module) or not (isinstance(kind, str) or callable(kind)):
        raise InsertionError(f"type={kind!r} in the cfg must be a name or a class, as 'attn_plugins.SE'")
    postfix = cfg.pop('postfix', None)
    postfix = '' if postfix is None else str(postfix)
    if not re.fullmatch(r'\w*', postfix):
        raise InsertionError(f'postfix={postfix!r} becomes a part of a name: use letters, digits and _')
    channels = cfg.get('in_channels')
    if channels is not None and (not isinstance(channels, int) or channels < 1):
        raise InsertionError(f'in_channels={channels!r} in the cfg must be a number of channels')
    return cfg, postfix


def _check(entry: dict, cfg: dict, word: str, stages: Sequence | None, name: str) -> None:
    """Refuses what would be ignored."""
    where, share, start = entry[word], entry.get('share'), entry.get('start')
    globs = [where] if isinstance(where, str) else where
    if not isinstance(globs, (list, tuple)) or not globs or not all(isinstance(glob, str) for glob in globs):
        raise InsertionError(f'{word}={where!r} must be a name or a glob in quotes')
    if word in ('position', 'norm') and not isinstance(where, str):
        raise InsertionError(f'{word}={where!r} must be one name: give every other an entry of its own')
    if stages is not None and (
        word in ('after', 'before', 'replace') or word == 'norm' and where not in ('main', 'all')
    ):
        raise InsertionError(
            f'stages= with the glob {word}={where!r}: the glob names the stages itself, leave stages out'
        )
    if share is not None and (share != 'stage' or word != 'position' or _is_a(cfg, ConvLike)):
        raise InsertionError(
            f"share={share!r} with {word}=: only share='stage' with position= gives blocks one layer"
        )
    if start not in (None, 'identity'):
        raise InsertionError(
            f"start={start!r}: choose start='identity', or leave it out for the layer's own start"
        )
    if start and (_is_a(cfg, ConvLike) or word == 'replace'):
        raise InsertionError(
            f"start='identity' with replace=: {name} takes the place of a module, so nothing is left to start from"
        )


def _switches(stages: Any) -> Sequence | None:
    if stages is None:
        return None
    if _is_list(stages) and all(
        isinstance(switch, bool) or _is_list(switch) and all(isinstance(block, bool) for block in switch)
        for switch in stages
    ):
        return stages
    raise InsertionError(
        f'stages={stages!r} must have True or False for every stage, or for every block of a stage, as '
        'stages=(False, True, True, (True, False))'
    )


def _name(cfg: dict) -> str:
    kind = cfg['type']
    return kind.split('.')[-1] if isinstance(kind, str) else getattr(kind, '__name__', repr(kind))


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _is_a(cfg: dict, kind: type) -> bool:
    cls = find_type(cfg['type'], MODELS) if isinstance(cfg['type'], str) else cfg['type']
    return isinstance(cls, type) and issubclass(cls, kind)
