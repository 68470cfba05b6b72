"""Says which data a config needs are missing, where they should be, and how to get them."""

import argparse
import sys

from attn_plugins.cli.errors import friendly_errors
from attn_plugins.errors import UserError


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('configs', nargs='*', metavar='CONFIG')
    parser.add_argument('--all', action='store_true', help='every config of configs/')
    parser.add_argument('--debug', action='store_true', help='show the traceback of an error')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Prints one line per dataset; returns 1 if something is missing."""
    args = parse_args(argv)
    with friendly_errors(args.debug):
        from attn_plugins.datasets.check import inspect_data
        from attn_plugins.engine.config import leaf_configs, load_config

        paths = leaf_configs() if args.all else args.configs
        if not paths:
            raise UserError('name at least one config, or use --all')
        incomplete = False
        for path in paths:
            lines = {}
            for check in inspect_data(load_config(path)):
                incomplete |= bool(check.faults)
                text = [f'missing: {sentence}' for sentence in check.sentences] or [f'ok: {check.content}']
                for line in text:
                    lines.setdefault(line, []).append(check.loader)
            print(path)
            for line, loaders in lines.items():
                print(f'  {", ".join(dict.fromkeys(loaders))}: {line}')
    return int(incomplete)


if __name__ == '__main__':
    sys.exit(main())
