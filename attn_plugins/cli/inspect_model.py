"""Prints a config's model as a tree with every inserted layer, its channels, parameters and multiply-adds."""

import argparse
import json
import sys
from contextlib import redirect_stdout

from attn_plugins.cli.errors import friendly_errors
from attn_plugins.cli.options import ConfigOptions


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--attention', metavar='PRESET', help='a preset of configs/_base_/attention: se, ca, iebn, ...'
    )
    parser.add_argument(
        '--shape',
        nargs=2,
        type=int,
        metavar=('HEIGHT', 'WIDTH'),
        help="size of the image; by default the config's test size",
    )
    parser.add_argument(
        '--depth', type=int, default=2, help='levels of the tree below the model, 2 by default'
    )
    parser.add_argument('--json', action='store_true', help='print everything as JSON')
    parser.add_argument('--cfg-options', nargs='+', action=ConfigOptions, metavar='KEY=VALUE')
    parser.add_argument('--debug', action='store_true', help='show the traceback of an error')
    return parser.parse_args(argv)


def inspect(cfg, shape):
    """Builds the model and its plain host, and counts both."""
    from attn_plugins.analysis.cost import count_madds, count_parameters
    from attn_plugins.analysis.inspection import describe, without_layers
    from attn_plugins.analysis.subject import make_input
    from attn_plugins.engine.library import build_model

    inputs = make_input(cfg, (3, *shape) if shape else None)
    model, plain = build_model(cfg).eval(), build_model(without_layers(cfg)).eval()
    madds = count_madds(model, inputs)
    whole = describe(model, madds)
    parameters = count_parameters(model)
    totals = dict(
        input=list(inputs.shape),
        parameters=parameters,
        madds=madds[''],
        layers=sum(1 for _ in whole.layers()),
        added_parameters=parameters - count_parameters(plain),
        added_madds=madds[''] - count_madds(plain, inputs)[''],
    )
    return whole, totals


def main(argv: list[str] | None = None) -> None:
    """The command line."""
    args = parse_args(argv)
    with friendly_errors(args.debug):
        with redirect_stdout(
            sys.stderr
        ):  # what the libraries print while they load is not part of the answer
            from rich.console import Console

            from attn_plugins.analysis.inspection import draw, to_dict
            from attn_plugins.engine.config import load_config

            whole, totals = inspect(load_config(args.config, args.attention, args.cfg_options), args.shape)
        if args.json:
            print(json.dumps(dict(totals, tree=to_dict(whole)), indent=1))
            return
        console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
        console.print(draw(whole, args.depth))
        console.print(
            f'{totals["layers"]} inserted layers add {totals["added_parameters"]:,} parameters to the plain '
            f'{totals["parameters"] - totals["added_parameters"]:,}, and {totals["added_madds"] / 1e6:,.2f} to '
            f'{(totals["madds"] - totals["added_madds"]) / 1e6:,.2f} million multiply-adds (one image of '
            f'{totals["input"][2]}x{totals["input"][3]})'
        )


if __name__ == '__main__':
    main()
