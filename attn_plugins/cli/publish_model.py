"""Prepares a trained checkpoint for publication: only weights, named by their hash, with config and counted cost."""

import argparse
from pathlib import Path

from attn_plugins.cli.arguments import ConfigOptions, folder
from attn_plugins.cli.errors import friendly_errors
from attn_plugins.errors import UserError


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog='Writes NAME-HASH.pth, which `init_cfg=dict(type="Pretrained", checkpoint=...)`, '
        'load_from and tools/test.py take, '
        'NAME-HASH.py, the whole config, and NAME-HASH.json: parameters, M-Adds, versions, SHA-256.',
    )
    parser.add_argument('config', help='config file that the checkpoint was trained with')
    parser.add_argument(
        'checkpoint', type=Path, help='what the training wrote, or its folder, whose last one is taken'
    )
    parser.add_argument(
        '--out', type=folder, default=Path('published'), metavar='FOLDER', help='default: %(default)s'
    )
    parser.add_argument(
        '--attention',
        metavar='PRESET',
        help='the preset that it was trained with: se, ca, iebn, ..., or the path of one',
    )
    parser.add_argument('--cfg-options', nargs='+', action=ConfigOptions, metavar='KEY=VALUE')
    parser.add_argument('--debug', action='store_true', help='show the traceback of an error')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Runs the command line."""
    args = parse_args(argv)
    with friendly_errors(args.debug):
        from attn_plugins.cost.cost import count_cost
        from attn_plugins.machine import versions
        from attn_plugins.training.checkpoint import latest_checkpoint
        from attn_plugins.training.config import load_config
        from attn_plugins.training.presets import preset_of
        from attn_plugins.training.publish import publish

        cfg = load_config(args.config, args.attention, args.cfg_options)
        checkpoint = args.checkpoint
        if checkpoint.is_dir():
            checkpoint = latest_checkpoint(args.checkpoint)
            if checkpoint is None:
                raise UserError(f'{args.checkpoint} holds no checkpoint: train first, or give a .pth file')
        preset = preset_of(cfg)
        name = Path(args.config).stem + (f'-{preset}' if preset not in (None, 'none') else '')
        for path in publish(cfg, checkpoint, args.out, name, dict(count_cost(cfg), versions=versions())):
            print(path)


if __name__ == '__main__':
    main()
