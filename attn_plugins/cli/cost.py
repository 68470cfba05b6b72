"""Counts and measures a config's model: parameters, multiply-adds, latency, peak memory; needs no data set."""

import argparse
import json
import sys
from contextlib import redirect_stdout
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from attn_plugins.cli.arguments import add_model_options, positive
from attn_plugins.cli.errors import friendly_errors
from attn_plugins.cost import LEFT_OUT
from attn_plugins.training.config import load_config
from attn_plugins.training.presets import preset_name


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog='Counted numbers (parameters, multiply-adds of convolutions and matrix products) are the same on every '
        'machine; measured ones (latency, peak memory) hold for this one, and latency is of no use on a busy one. '
        f'Both are of the network {LEFT_OUT}.',
    )
    add_model_options(parser)
    parser.add_argument(
        '--attention',
        nargs='+',
        metavar='PRESET',
        default=[None],
        help='presets: se, ca, iebn, ..., or paths of your own; several are compared with the first',
    )
    parser.add_argument(
        '--batch', type=positive, default=1, help='images of a batch (default: 1); all numbers are per batch'
    )
    parser.add_argument(
        '--repeats',
        type=positive,
        default=20,
        help='timed passes (default: 20), each after two that are not timed',
    )
    parser.add_argument(
        '--device', type=usable_device, default='cpu', help='cpu (default), cuda, cuda:1, ...'
    )
    parser.add_argument(
        '--match',
        metavar='KEY',
        help='instead of all else: the value of this number of the config, such as '
        'model.backbone.widen_factor, with which the '
        'model without attention has as many parameters as with the preset; a control for suites',
    )
    args = parser.parse_args(argv)
    if args.match and None in args.attention:
        parser.error('--match takes --attention PRESET, whose parameters the plain model is to have')
    return args


def usable_device(name: str) -> str:
    """Parses a device as an argparse type; refuses one that this machine does not have."""
    import torch

    try:
        torch.empty(1, device=name)
    except (
        RuntimeError,
        AssertionError,
    ) as error:  # a name that torch does not know; a missing accelerator
        reason = str(error).splitlines()[0]
        raise argparse.ArgumentTypeError(
            f'{name} cannot be used on this machine ({reason}): leave --device out to use the cpu'
        ) from error
    return name


def cost(args: argparse.Namespace, attention: str | None) -> dict:
    """Computes all numbers of the config's model with one preset."""
    from attn_plugins.cost.cost import count_madds, count_parameters, measure_latency, peak_memory
    from attn_plugins.cost.forward_pass import input_size, make_input, proposals_of
    from attn_plugins.training.library import build_model

    cfg = load_config(args.config, attention, args.cfg_options)
    size = args.shape or input_size(cfg)
    model = build_model(cfg).eval().to(args.device)
    inputs = make_input(cfg, model, size, args.batch)
    return dict(
        config=args.config,
        attention=attention,
        image=list(size),
        input_shape=list(inputs.shape),
        proposals=proposals_of(model),
        counted=dict(parameters=count_parameters(model), madds=count_madds(model, inputs)['']),
        measured=dict(
            latency=measure_latency(model, inputs, args.repeats),
            peak_memory_bytes=peak_memory(model, inputs),
        ),
    )


def table_of(costs: list[dict]) -> Table:
    """Builds a table with one row per preset; differences are relative to the first."""
    from attn_plugins.cost.forward_pass import describe_input

    first = costs[0]
    latency = first['measured']['latency']
    given = describe_input(first['input_shape'], first['image'], first['proposals'])
    threads = f'{latency["threads"]} thread' + ('s' if latency['threads'] > 1 else '')
    table = Table(
        title=f'{first["config"]}, input {given}',
        title_justify='left',
        caption='counted: parameters, multiply-adds; measured: latency (median, 20th to 80th percentile of '
        f'{latency["repeats"]}), peak memory; {latency["device"]}, {threads}, {latency["dtype"]}; the network '
        f'{LEFT_OUT}',
        caption_justify='left',
    )
    table.add_column('attention', no_wrap=True)
    for name in ('parameters', 'multiply-adds', 'latency', 'peak memory'):
        table.add_column(name, justify='right')
    for entry in costs:
        counted, measured = entry['counted'], entry['measured']
        times = measured['latency']
        cells = [
            f'{counted["parameters"]:,}'
            + change(counted['parameters'], first['counted']['parameters'], entry is first),
            f'{counted["madds"] / 1e6:,.1f} M'
            + change(counted['madds'], first['counted']['madds'], entry is first),
            f'{times["median_ms"]:.1f} ms ({times["p20_ms"]:.1f}–{times["p80_ms"]:.1f})'
            + change(times['median_ms'], first['measured']['latency']['median_ms'], entry is first),
            f'{measured["peak_memory_bytes"] / 2**20:.1f} MiB'
            + change(measured['peak_memory_bytes'], first['measured']['peak_memory_bytes'], entry is first),
        ]
        table.add_row(preset_name(entry['attention'] or 'as given'), *cells)
    return table


def change(value: float, reference: float, is_reference: bool) -> str:
    """Formats the relative difference to the first preset, for the line below the number itself."""
    return '' if is_reference else f'\n{value / reference - 1:+.2%}'


def print_matches(args: argparse.Namespace) -> None:
    """Prints a line, or an entry of JSON, for each preset."""
    from mmengine.logging import MMLogger

    from attn_plugins.cost.match import match_parameters

    MMLogger.get_current_instance().setLevel('WARNING')  # hides the configs' notes on ATTENTION

    with redirect_stdout(sys.stderr):
        matches = [
            match_parameters(args.config, attention, args.match, args.cfg_options, args.shape)
            for attention in args.attention
        ]
    if args.json:
        entries = [asdict(match) for match in matches]
        print(json.dumps(entries if len(entries) > 1 else entries[0], indent=2))
    else:
        print(*matches, sep='\n')


def main(argv: list[str] | None = None) -> None:
    """Runs the command line."""
    args = parse_args(argv)
    with friendly_errors(args.debug):
        if args.match:
            print_matches(args)
            return
        with redirect_stdout(sys.stderr):  # messages of the libraries do not belong to the output
            costs = [cost(args, attention) for attention in args.attention]
        if args.json:
            print(json.dumps(costs if len(costs) > 1 else costs[0], indent=2))
        else:
            Console().print(table_of(costs))


if __name__ == '__main__':
    main()
