"""Provides the command `attn-plugins COMMAND ...`: every tool, for an installed package without the tools/ folder."""

import sys
from importlib import import_module

from attn_plugins.registry import nearest

# Command -> description. The module of the same name is the command line.
COMMANDS = {
    'train': 'train a config; run again, it resumes',
    'test': 'test a checkpoint of a config',
    'benchmark': 'run, watch and report a suite of configs x presets x seeds',
    'cost': "count and measure what a config's model costs",
    'inspect_model': "a config's model as a tree with every inserted layer",
    'visualize': 'pictures of what trained models look at: class activation and attention maps, gates, '
    'receptive fields',
    'census': 'what the gates of a trained model do: how much they vary, and under attacks',
    'fold': 'merges the gates that are nearly constant into the weights beside them',
    'convert_official': "the authors' checkpoint into one of a config",
    'publish_model': 'a checkpoint to give away: weights, config, hash, counted cost',
    'check_data': 'which data are missing and how to get them',
    'make_digit_scenes': 'write DigitScenes, the embedded data set',
}

# What is no command of an installed package any more.
MOVED = {'benchmark_layers': 'it is in the repository of attn_plugins, as python tools/benchmark_layers.py'}


def main(argv: list[str] | None = None) -> int | None:
    """Calls a command's own command line with the remaining arguments."""
    words = sys.argv[1:] if argv is None else argv
    name = words[0].replace('-', '_') if words else ''
    if name not in ('', '__help', '_h', *COMMANDS):
        hint = MOVED.get(name) or nearest(name, COMMANDS)
        print(f'error: there is no command {words[0]!r}: {hint}', file=sys.stderr)
        return 2
    if name not in COMMANDS:
        width = max(map(len, COMMANDS))
        lines = [f'  {command:{width}}  {text}' for command, text in COMMANDS.items()]
        print(
            'usage: attn-plugins COMMAND ...',
            '',
            *lines,
            '',
            'attn-plugins COMMAND --help says more.',
            sep='\n',
        )
        return 0
    as_module = sys.argv[0].endswith('__main__.py')
    sys.argv[0] = f'{"python -m attn_plugins" if as_module else "attn-plugins"} {name}'
    return import_module(f'attn_plugins.cli.{name}').main(words[1:])
