"""Writes the config that puts a layer into its place as Python, in the form of the README's examples."""

from attn_plugins.layers.place import place_of, plugins_of

WIDTH = 90


def config_of(layer: type) -> dict:
    """The config that a project of the place's library inherits into: the backbone's or the head's part of it."""
    host = dict(place_of(layer).host)
    part = 'decode_head' if host['type'].endswith('Head') else 'backbone'
    host = dict(type='attn_plugins.Plugged', host=host.pop('type'), plugins=plugins_of(layer), **host)
    return {part: host}


def snippet(layer: type) -> str:
    """The config as text."""
    return 'model = ' + _written(config_of(layer), 0, len('model = '))


def _written(value, indent: int, used: int) -> str:
    """A value as Python: on one line where it fits into what `used` columns leave, else one item per line."""
    line = _on_one_line(value)
    if indent + used + len(line) <= WIDTH or not isinstance(value, (dict, list, tuple)):
        return line
    inner = ' ' * (indent + 4)
    if isinstance(value, dict):
        begin, end = 'dict(', ')'
        items = [f'{key}={_written(item, indent + 4, len(key) + 2)}' for key, item in value.items()]
    else:
        begin, end = ('[', ']') if isinstance(value, list) else ('(', ')')
        items = [_written(item, indent + 4, 1) for item in value]
    return begin + ''.join(f'\n{inner}{item},' for item in items) + '\n' + ' ' * indent + end


def _on_one_line(value) -> str:
    if isinstance(value, dict):
        return 'dict(' + ', '.join(f'{key}={_on_one_line(item)}' for key, item in value.items()) + ')'
    if isinstance(value, list):
        return '[' + ', '.join(map(_on_one_line, value)) + ']'
    return repr(value)
