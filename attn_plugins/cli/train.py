"""Trains a config of mmdet, mmseg or mmpretrain; the same command resumes an interrupted training."""

import argparse
import os

from attn_plugins.cli.arguments import ConfigOptions
from attn_plugins.cli.errors import friendly_errors


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parses OpenMMLab's flags and our own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--attention', metavar='PRESET', help='a preset: se, ca, iebn, ..., or the path of one of your own'
    )
    parser.add_argument(
        '--work-dir', help='where logs and checkpoints go; work_dirs/<config>[-<preset>] by default'
    )
    parser.add_argument(
        '--from-scratch', action='store_true', help='start over, though the work dir has a checkpoint'
    )
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='resume from this checkpoint; without a path from the last of the work dir, as by default',
    )
    parser.add_argument('--amp', action='store_true', help='automatic mixed precision')
    parser.add_argument(
        '--auto-scale-lr', action='store_true', help='scale the learning rate by the batch size'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=ConfigOptions,
        metavar='KEY=VALUE',
        help='single values of the config: train_cfg.max_epochs=1',
    )
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument('--debug', action='store_true', help='show the traceback of an error')
    args = parser.parse_args(argv)
    if args.resume and args.from_scratch:
        parser.error('--resume and --from-scratch exclude each other')
    return args


def main(argv: list[str] | None = None) -> None:
    """Runs the command line."""
    args = parse_args(argv)
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    with friendly_errors(args.debug):
        from attn_plugins.training.launch import end_distributed
        from attn_plugins.training.resume import how_to_resume
        from attn_plugins.training.runner import prepare_run, train

        cfg = prepare_run(args.config, args.attention, args.cfg_options, args.work_dir, args.launcher)
        with friendly_errors(args.debug, lambda: how_to_resume(cfg.work_dir, args.from_scratch)):
            train(cfg, args.resume, args.from_scratch, args.amp, args.auto_scale_lr)
        end_distributed()


if __name__ == '__main__':
    main()
