"""Convert Cityscapes' polygons to masks of the 19 classes, as mmseg's converter does; run again, it goes on."""

import argparse
import os
from pathlib import Path

from attn_plugins.cli.arguments import positive
from attn_plugins.cli.errors import friendly_errors


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('cityscapes_path', type=Path, help='the folder that holds gtFine')
    parser.add_argument(
        '--gt-dir', default='gtFine', help='folder of the polygons in it (default: %(default)s)'
    )
    parser.add_argument(
        '-o', '--out-dir', type=Path, help='of train.txt, val.txt and test.txt (default: cityscapes_path)'
    )
    parser.add_argument(
        '--nproc', type=positive, default=os.cpu_count(), help='number of processes (default: %(default)s)'
    )
    parser.add_argument('--debug', action='store_true', help='show the traceback of an error')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Converts, and says how many masks there are."""
    args = parse_args(argv)
    with friendly_errors(args.debug, advice=lambda: 'run the same command again: it goes on'):
        from attn_plugins.datasets.cityscapes import convert_cityscapes

        done = convert_cityscapes(args.cityscapes_path, args.gt_dir, args.out_dir, args.nproc)
        splits = ', '.join(f'{count} in {split}.txt' for split, count in done.splits.items())
        print(f'{done.masks} masks, {done.written} of them written now; {splits or "no split"}')


if __name__ == '__main__':
    main()
