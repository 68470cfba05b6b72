"""Checks the data of configs and of public data sets: says which are missing or misplaced, and how to get them."""

import argparse
import sys
from pathlib import Path

from attn_plugins.cli.errors import friendly_errors
from attn_plugins.errors import UserError

NAMED = 10  # faulty files that are listed; all are counted


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'what',
        nargs='*',
        metavar='CONFIG|NAME',
        help='a config file, or a data set: coco, voc, voc12aug, cityscapes, imagenet, cifar10, cifar100, mnist, '
        'fashion_mnist; of these the images are counted too',
    )
    parser.add_argument('--all', action='store_true', help='every config of configs/')
    parser.add_argument('--root', metavar='DIR', help='where the one data set named is, if not in data/')
    parser.add_argument(
        '--read-files',
        action='store_true',
        help='read every file: images and masks are decoded, boxes and JSON parsed, MD5 sums compared',
    )
    parser.add_argument('--debug', action='store_true', help='show the traceback of an error')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Prints one line per dataset; returns 1 if something is missing or wrong."""
    args = parse_args(argv)
    with friendly_errors(args.debug):
        from attn_plugins.datasets.known import KNOWN
        from attn_plugins.training.config import leaf_configs

        paths = [*args.what, *(leaf_configs() if args.all else [])]
        if not paths:
            raise UserError(f'name at least one config or data set ({", ".join(KNOWN)}), or use --all')
        if args.root and (len(paths) > 1 or paths[0] not in KNOWN):
            raise UserError(f'--root takes one data set by its name: choose from {", ".join(KNOWN)}')
        incomplete = False
        for path in paths:
            incomplete |= _report(path, args.root, args.read_files)
    return int(incomplete)


def _report(path: str | Path, root: str | None, read_files: bool) -> bool:
    """Prints the result for a config or a named data set; returns whether something is wrong with it."""
    checks = _inspect(path, root)
    lines, read = {}, {}
    for check in checks:
        text = [f'wrong: {fault}' for fault in check.faults] or [f'ok: {check.content}']
        known = []
        if read_files:
            if check.content not in read:  # test is often the same as val
                read[check.content] = check.read()
            known = read[check.content][1]
        text += [f'warning: {said}' for said in check.warnings if not said.startswith(tuple(known))]
        text += _files_read(*read[check.content]) if read_files else []
        for line in text:
            lines.setdefault(line, []).append(check.split)
    print(path)
    for line, splits in lines.items():
        print(f'  {", ".join(dict.fromkeys(splits))}: {line}')
    return any(check.faults for check in checks) or any(faults for _, faults, _ in read.values())


def _inspect(path: str | Path, root: str | None) -> list:
    from attn_plugins.datasets.check import inspect_data
    from attn_plugins.datasets.known import KNOWN, inspect_known
    from attn_plugins.registry import nearest
    from attn_plugins.training.config import load_config

    if path in KNOWN:
        return inspect_known(path, root)
    if isinstance(path, str) and not Path(path).suffix and not Path(path).exists():
        raise UserError(f'there is no data set {path}: {nearest(path, KNOWN)}')
    return inspect_data(load_config(path))


def _files_read(count: int, faults: list[str], odd: list[str]) -> list[str]:
    """Lists the results of reading the files, line by line."""
    lines = [f'read: {len(faults)} faults in {count} samples'] if faults else []
    if count and not faults:
        lines = [f'read: {count} samples without a fault']
    for kind, found in (('fault', faults), ('warning', odd)):
        more = [f'and {len(found) - NAMED} more'] if len(found) > NAMED else []
        lines += [f'{kind}: {line}' for line in found[:NAMED] + more]
    return lines


if __name__ == '__main__':
    sys.exit(main())
