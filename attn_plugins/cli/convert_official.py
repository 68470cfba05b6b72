"""Converts the checkpoint of a module's authors into one of a config; no weight may be missing or left over."""

import argparse
from pathlib import Path

from attn_plugins.cli.arguments import ConfigOptions
from attn_plugins.cli.errors import friendly_errors
from attn_plugins.errors import UserError


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog='The config says how the model is built; it must be built as the authors built theirs. What is written '
        'can be tested by tools/test.py and named by load_from or an init_cfg.',
    )
    parser.add_argument('config', help='config file of the model')
    parser.add_argument('input', type=Path, help="the authors' checkpoint")
    parser.add_argument('output', type=Path, help='where to write the converted one, a .pth file')
    parser.add_argument(
        '--attention', metavar='PRESET', help='a preset: se, ca, iebn, ..., or the path of one'
    )
    parser.add_argument(
        '--part',
        default='',
        metavar='NAME',
        help='the part of the model that the weights are of: backbone; the whole model by default',
    )
    parser.add_argument('--cfg-options', nargs='+', action=ConfigOptions, metavar='KEY=VALUE')
    parser.add_argument('--debug', action='store_true', help='show the traceback of an error')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Runs the command line."""
    args = parse_args(argv)
    with friendly_errors(args.debug):
        import torch

        from attn_plugins.official import load_official
        from attn_plugins.training.checkpoint import read_weights
        from attn_plugins.training.config import load_config
        from attn_plugins.training.library import build_model

        if args.output.exists():
            raise UserError(f'{args.output} is there already: name another file, or delete it')
        if not args.output.parent.is_dir():
            raise UserError(f'there is no folder {args.output.parent}: make it, or write elsewhere')
        model = build_model(load_config(args.config, args.attention, args.cfg_options))
        names = [name for name, _ in model.named_children()]
        if args.part and args.part not in names:
            raise UserError(f'the model has no part {args.part!r}: choose from {", ".join(names)}')
        part = model.get_submodule(args.part)
        weights = read_weights(args.input)
        try:
            load_official(part, weights)
        except ValueError as error:
            raise UserError(f'{args.input} does not fit {args.config}: {error}') from error
        prefix = f'{args.part}.' if args.part else ''
        converted = {prefix + key: value for key, value in part.state_dict().items()}
        torch.save(dict(state_dict=converted, meta=dict(converted_from=args.input.name)), args.output)
        count = sum(value.numel() for value in part.parameters())
        print(
            f'{args.output}: {len(converted)} tensors, {count:,} parameters, from {len(weights)} tensors of '
            f'{args.input}'
        )
