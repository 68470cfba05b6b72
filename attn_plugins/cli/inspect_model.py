"""Prints a config's model as a tree with every inserted layer, its channels, parameters and multiply-adds."""

import argparse
import json
import sys
from contextlib import redirect_stdout
from dataclasses import asdict
from typing import TYPE_CHECKING

from mmengine.config import Config
from rich.console import Console

from attn_plugins.cli.arguments import add_model_options
from attn_plugins.cli.errors import friendly_errors
from attn_plugins.cost import LEFT_OUT
from attn_plugins.training.config import load_config

if TYPE_CHECKING:
    from attn_plugins.cost.model_tree import ModuleInfo


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__, epilog=f'Counted is the network {LEFT_OUT}.')
    add_model_options(parser)
    parser.add_argument(
        '--attention', metavar='PRESET', help='a preset: se, ca, iebn, ..., or the path of one of your own'
    )
    parser.add_argument(
        '--depth', type=int, default=2, help='levels of the tree below the model (default: 2)'
    )
    args = parser.parse_args(argv)
    if args.depth < 0:
        parser.error('--depth takes 0 or more levels')
    return args


def inspect(cfg: Config, size: tuple[int, int] | None) -> 'tuple[ModuleInfo, dict]':
    """Builds the model and its plain host, and counts both.

    Args:
        cfg: The config.
        size: Height and width of the image; None for that of the config's test images.

    Returns:
        tuple: The model's modules, and the totals: `image`, `input_shape`, `proposals`, `parameters`, `madds`,
            `layers`, `added_parameters`, `added_madds`.
    """
    from attn_plugins.cost.cost import count_madds, count_parameters
    from attn_plugins.cost.forward_pass import input_size, make_input, proposals_of
    from attn_plugins.cost.model_tree import describe, without_layers
    from attn_plugins.training.library import build_model

    size = size or input_size(cfg)
    model, plain = build_model(cfg).eval(), build_model(without_layers(cfg)).eval()
    inputs = make_input(cfg, model, size)
    madds = count_madds(model, inputs)
    whole = describe(model, madds)
    totals = dict(
        image=list(size),
        input_shape=list(inputs.shape),
        proposals=proposals_of(model),
        parameters=whole.parameters,
        madds=madds[''],
        layers=sum(1 for _ in whole.layers()),
        added_parameters=whole.parameters - count_parameters(plain),
        added_madds=madds[''] - count_madds(plain, inputs)[''],
    )
    return whole, totals


def summary_of(totals: dict) -> str:
    """Formats the totals in one line, and the input that they were counted for in a second."""
    from attn_plugins.cost.forward_pass import describe_input

    parameters, madds = totals['parameters'], totals['madds']
    added, added_madds = totals['added_parameters'], totals['added_madds']
    if totals['layers']:
        line = (
            f'{totals["layers"]} inserted layers add {added:,} parameters to the plain {parameters - added:,}, and '
            f'{added_madds / 1e6:,.2f} to {(madds - added_madds) / 1e6:,.2f} million multiply-adds'
        )
    else:
        line = f'no inserted layers; {parameters:,} parameters, {madds / 1e6:,.2f} million multiply-adds'
    return (
        f'{line}\ninput '
        f'{describe_input(totals["input_shape"], totals["image"], totals["proposals"])}; the network {LEFT_OUT}'
    )


def main(argv: list[str] | None = None) -> None:
    """Runs the command line."""
    args = parse_args(argv)
    with friendly_errors(args.debug):
        from attn_plugins.cost.model_tree import draw

        with redirect_stdout(sys.stderr):  # messages of the libraries do not belong to the output
            whole, totals = inspect(load_config(args.config, args.attention, args.cfg_options), args.shape)
        if args.json:
            print(json.dumps(dict(totals, tree=asdict(whole)), indent=1))
            return
        console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
        console.print(draw(whole, args.depth))
        console.print(summary_of(totals))


if __name__ == '__main__':
    main()
