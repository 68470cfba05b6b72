"""Convert the SBD's masks for VOC 2012, as mmseg's converter of that name does; run again, it goes on."""

import argparse
import os
from pathlib import Path

from attn_plugins.cli.arguments import positive
from attn_plugins.cli.errors import friendly_errors


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('devkit_path', type=Path, help='VOCdevkit, the folder that holds VOC2012')
    parser.add_argument(
        'aug_path', type=Path, help='the folder that benchmark.tgz, the SBD, was unpacked into'
    )
    parser.add_argument(
        '-o', '--out_dir', '--out-dir', type=Path, help='of the masks (default: VOC2012/SegmentationClassAug)'
    )
    parser.add_argument(
        '--nproc', type=positive, default=os.cpu_count(), help='number of processes (default: %(default)s)'
    )
    parser.add_argument('--debug', action='store_true', help='show the traceback of an error')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Converts, and says how many masks and names there are."""
    args = parse_args(argv)
    with friendly_errors(args.debug, advice=lambda: 'run the same command again: it goes on'):
        from attn_plugins.datasets.voc_aug import TRAINAUG, convert_voc_aug

        done = convert_voc_aug(args.devkit_path, args.aug_path, args.out_dir, args.nproc)
        print(
            f'{done.masks} masks, {done.written} of them written now; {done.trainaug} names in trainaug.txt, {done.aug} in aug.txt'
        )
        if done.trainaug != TRAINAUG:
            print(
                f'warning: the published trainaug.txt has {TRAINAUG} names: see `python tools/check_data.py voc12aug`'
            )


if __name__ == '__main__':
    main()
