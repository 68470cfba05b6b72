"""Writes DigitScenes, the embedded data set: real handwritten digits in generated scenes, in four layouts."""

import argparse
import signal
import sys
from pathlib import Path

from attn_plugins.cli.errors import TERMINATED, friendly_errors


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        epilog='The same settings give the same bytes; a folder that already holds them is left as it is.',
    )
    parser.add_argument('--root', type=Path, default='data/digit_scenes', help='where to write the data set')
    parser.add_argument('--seed', type=int, default=0, help='of the scenes')
    parser.add_argument('--train', type=int, default=1500, metavar='N', help='number of training scenes')
    parser.add_argument('--val', type=int, default=240, metavar='N', help='number of validation scenes')
    parser.add_argument(
        '--size', type=int, default=128, metavar='N', help='height and width of a scene in pixels'
    )
    parser.add_argument('--debug', action='store_true', help='show the traceback of an error')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Writes the data set, or says that it exists already."""
    args = parse_args(argv)
    with friendly_errors(args.debug, advice=lambda: 'run the same command again: it starts anew'):
        from attn_plugins.datasets.digit_scenes import write_digit_scenes

        signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
        written = write_digit_scenes(args.root, args.seed, args.train, args.val, args.size)
        print(
            f'{args.root}: {args.train} scenes to train on, {args.val} to validate'
            f'{"" if written else " (already there)"}'
        )


if __name__ == '__main__':
    main()
