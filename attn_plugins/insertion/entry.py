"""Reads the entries of `plugins=`, which say what is put into a host and where, and checks them before that."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from attn_plugins.errors import InsertionError
from attn_plugins.layers.conv.base import ConvLike
from attn_plugins.layers.norm.base import NormLayer
from attn_plugins.registry import MODELS, find_type, nearest

GLOB_KEYS = ('after', 'before', 'replace')
# The keys of an entry that say where. A norm layer takes `norm`, every other layer one of the rest.
PLACE_KEYS = ('position', *GLOB_KEYS, 'norm')
ENTRY_KEYS = ('cfg', 'stages', 'share', 'start', *PLACE_KEYS)
DEFAULTS = ('position', *GLOB_KEYS, 'stages')
OTHERS = 'others'


@dataclass
class Entry:
    """An entry of `plugins=` that was read and checked.

    Attributes:
        cfg: The layer's config, without `postfix`.
        postfix: What is appended to the layer's name in the state dict.
        word: The key that says where: one of `position`, `after`, `before`, `replace`, `norm`.
        where: The value of that key.
        stages: The switches, one per stage, or None.
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
        """Tells whether the layer is of a class."""
        return _is_a(self.cfg, kind)


def read_entries(
    plugins: Sequence[dict] | dict[str, Sequence[dict]] | None, place: dict | None = None, host: Any = None
) -> list[Entry]:
    """Reads the entries of `plugins=` that put something into a host.

    Args:
        plugins (Sequence[dict] or dict): The entries, or a list of them for each class of host.
        place (dict, optional): Where those entries go that do not say it themselves.
        host (nn.Module, optional): Its class chooses among lists for several classes.

    Raises:
        InsertionError: An entry or the place is malformed, or no list is for this host.
    """
    place = _read_place(place)
    plugins = entries_of_host(plugins, host) if isinstance(plugins, dict) else plugins
    if plugins is None:
        return []
    if not _is_list(plugins):
        raise InsertionError(
            f'plugins= is a list of entries, not a {type(plugins).__name__}: write plugins=[dict(...)]'
        )
    entries = [_read(entry, place) for entry in plugins]
    return [entry for entry in entries if entry is not None]


def entries_of_host(plugins: dict, host: nn.Module) -> Any:
    """Chooses the list of entries for a host among lists for several classes.

    The host's own class or a base of it comes first, then the classes of the modules in it, then the list for all
    others.
    """
    if not plugins or set(plugins) & {'type', *ENTRY_KEYS}:
        raise InsertionError(
            'plugins= is a list of entries, not a dict: write plugins=[dict(...)], or a list for each class '
            'of host, as plugins=dict(ResNet=[dict(...)])'
        )
    # The host itself is the first of its modules.
    names = dict.fromkeys(cls.__name__ for module in host.modules() for cls in type(module).__mro__)
    for name in (*names, OTHERS):
        if name in plugins:
            return plugins[name]
    name = type(host).__name__
    raise InsertionError(
        f'plugins= has entries for {", ".join(map(str, plugins))} and none for {name}: add {name}=[dict(...)], or '
        f'{OTHERS}=[dict(...)] for all other hosts'
    )


def _read_place(place: dict | None) -> dict:
    """Reads the place of the entries that name none: one key that says where, and the stages."""
    if place is None:
        return {}
    if not isinstance(place, dict):
        raise InsertionError(f"place= is a dict, as place=dict(position='after_conv3'), not {place!r}")
    for word in place:
        if word not in DEFAULTS:
            raise InsertionError(f'place= has no {word!r}: {nearest(word, DEFAULTS)}')
    place = {word: value for word, value in place.items() if value is not None}
    words = _given(place)
    if len(words) != 1:
        raise InsertionError(
            f'place= needs exactly one of position=, after=, before= and replace=, but has '
            f'{", ".join(words) or "none"}'
        )
    _check_where(words[0], place[words[0]], _switches(place.get('stages')))
    return place


def _read(entry: dict, place: dict) -> Entry | None:
    if not isinstance(entry, dict):
        raise InsertionError(
            f"an entry of plugins is a dict(cfg=dict(type='attn_plugins.SE'), ...), not {entry!r}"
        )
    if 'type' in entry:
        raise InsertionError(
            f'an entry of plugins names its layer under cfg: dict(cfg=dict(type={entry["type"]!r}, ...), position=...)'
        )
    for word in entry:
        if word not in ENTRY_KEYS:
            raise InsertionError(f'an entry of plugins has no {word!r}: {nearest(word, ENTRY_KEYS)}')
    if 'cfg' not in entry:
        raise InsertionError("an entry of plugins needs cfg=, the layer's config, or cfg=None for no layer")
    if entry['cfg'] is None:
        return None
    cfg, postfix = _read_cfg(entry['cfg'])
    word, where = _where(entry, cfg, place)
    stages = entry.get('stages')
    if stages is None and not _given(entry):
        stages = place.get('stages')
    stages, share, start = _switches(stages), entry.get('share'), entry.get('start')
    _check_where(word, where, stages)
    _check_use(cfg, word, share, start)
    return Entry(cfg, postfix, word, where, stages, share, start == 'identity')


def _given(entry: dict) -> list[str]:
    """Lists the keys of an entry, or of `place=`, that say where."""
    return [word for word in PLACE_KEYS if entry.get(word) is not None]


def _where(entry: dict, cfg: dict, place: dict) -> tuple[str, Any]:
    """Finds the key that says where, and its value: the entry's own, else that of `place=`."""
    given, name = _given(entry), _name(cfg)
    if 'norm' in given and len(given) > 1:
        raise InsertionError(
            f'{name} has norm= beside {given[0]}=: write norm= alone for a norm layer, {given[0]}= alone for any other '
            f'layer, and place=dict({given[0]}=...) beside plugins= for entries that say neither'
        )
    if _is_a(cfg, NormLayer):
        if given != ['norm']:
            raise InsertionError(f"{name} is a norm layer: say which norms it replaces, as norm='main'")
    elif given == ['norm']:
        raise InsertionError(
            f"{name} is no norm layer, as norm= needs: write its place, as position='block_output'"
        )
    elif given != ['replace'] and _is_a(cfg, ConvLike):
        raise InsertionError(
            f"{name} is a convolution: say which of the host's it replaces, as replace='layer3.*.conv2'"
        )
    elif not given and place:
        return next((word, where) for word, where in place.items() if word != 'stages')
    elif len(given) != 1:
        raise InsertionError(
            f'{name} needs exactly one of position=, after=, before= and replace=, but has '
            f'{", ".join(given) or "none"}'
        )
    return given[0], entry[given[0]]


def _read_cfg(cfg: Any) -> tuple[dict, str]:
    """Reads the layer's config and the postfix of its name."""
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


def _check_where(word: str, where: Any, stages: Sequence | None) -> None:
    """Refuses a value that names no place, and stages that would be ignored."""
    globs = [where] if isinstance(where, str) else where
    if not isinstance(globs, (list, tuple)) or not globs or not all(isinstance(glob, str) for glob in globs):
        raise InsertionError(f'{word}={where!r} must be a name or a glob in quotes')
    if word in ('position', 'norm') and not isinstance(where, str):
        raise InsertionError(f'{word}={where!r} must be one name: give every other an entry of its own')
    if stages is not None and (word in GLOB_KEYS or word == 'norm' and where not in ('main', 'all')):
        raise InsertionError(
            f'stages= with the glob {word}={where!r}: the glob names the stages itself, leave stages out'
        )


def _check_use(cfg: dict, word: str, share: Any, start: Any) -> None:
    """Refuses options that would be ignored at this place or with this layer."""
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
            f"start='identity' with replace=: {_name(cfg)} takes the place of a module, so nothing is left to "
            'start from'
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
