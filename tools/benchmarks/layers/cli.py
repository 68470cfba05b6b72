"""Compares the layers with the modules of the authors, timm and OpenMMLab: checks equality, counts and times them."""

import argparse
import sys
from pathlib import Path

from attn_plugins.cli.arguments import folder, positive
from attn_plugins.cli.errors import friendly_errors


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog='Times are of no use on a busy machine. With a GPU in sight ResNet-50 is trained on it '
        'with each layer too.',
    )
    size = dict(nargs=4, type=positive, metavar=('N', 'C', 'H', 'W'))
    parser.add_argument('--shape', **size, default=[8, 256, 56, 56], help='the map (default: 8 256 56 56)')
    parser.add_argument(
        '--pairwise-shape',
        **size,
        default=[2, 256, 32, 32],
        help='the map of the layers that compare all places (default: 2 256 32 32)',
    )
    parser.add_argument('--layers', nargs='+', metavar='NAME', help='some of them (default: all)')
    parser.add_argument('--threads', type=positive, help="of torch (default: torch's own, all cores)")
    parser.add_argument('--repeats', type=positive, default=20, help='timed steps of each (default: 20)')
    parser.add_argument(
        '--no-compile', action='store_true', help='leave out what torch.compile makes of them'
    )
    parser.add_argument('--no-networks', action='store_true', help='leave out ResNet-50 on a GPU')
    parser.add_argument(
        '--out', type=folder, default=Path('docs', 'benchmarks'), help='folder (default: docs/benchmarks)'
    )
    parser.add_argument('--debug', action='store_true', help='show the traceback of an error')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Runs the command line; returns 0 if everything that was compared is equal."""
    args = parse_args(argv)
    with friendly_errors(args.debug):
        from benchmarks.layers.command import benchmark

        return benchmark(args, sys.argv[1:] if argv is None else argv)


if __name__ == '__main__':
    sys.exit(main())
