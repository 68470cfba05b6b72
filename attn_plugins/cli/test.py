"""Tests a checkpoint of a config of mmdet, mmseg or mmpretrain."""

import argparse
import os
from pathlib import Path

from attn_plugins.cli.arguments import add_trained_options
from attn_plugins.cli.errors import friendly_errors
from attn_plugins.errors import UserError
from attn_plugins.files import write_json


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parses OpenMMLab's flags and our own."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_trained_options(parser)
    parser.add_argument('--work-dir', help='where the log goes; work_dirs/<config>[-<preset>] by default')
    parser.add_argument('--out-metrics', metavar='FILE.json', help='write the metrics as JSON')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Runs the command line."""
    args = parse_args(argv)
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    with friendly_errors(args.debug):
        from attn_plugins.training.launch import end_distributed
        from attn_plugins.training.runner import prepare_run, test

        if args.out_metrics and not Path(args.out_metrics).parent.is_dir():
            raise UserError(
                f'there is no folder {Path(args.out_metrics).parent}: make it, or write the metrics elsewhere'
            )
        cfg = prepare_run(args.config, args.attention, args.cfg_options, args.work_dir, args.launcher)
        metrics = test(cfg, args.checkpoint)
        end_distributed()
        if args.out_metrics and int(os.environ.get('RANK', 0)) == 0:
            write_json(args.out_metrics, metrics)


if __name__ == '__main__':
    main()
