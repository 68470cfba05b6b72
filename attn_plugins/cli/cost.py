"""Count and measure what a config's model costs: parameters, multiply-adds, latency, peak memory. Needs no data set."""

import argparse
import json
import sys
from contextlib import redirect_stdout

from rich.console import Console
from rich.table import Table

from attn_plugins.analysis.cost import count_madds, count_parameters, measure_latency, peak_memory
from attn_plugins.analysis.subject import make_input, model_under_test
from attn_plugins.cli.errors import friendly_errors
from attn_plugins.engine.config import load_config


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog='Counted numbers (parameters, multiply-adds of convolutions and matrix products) are the same on every '
        'machine;\nmeasured ones (latency, peak memory) hold for this one. Latency is of the network alone, '
        'without pre- and\npost-processing, and on a busy machine it is of no use.',
    )
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--attention',
        nargs='+',
        metavar='PRESET',
        default=[None],
        help='presets of configs/_base_/attention; several are compared with the first',
    )
    parser.add_argument(
        '--shape',
        nargs=3,
        type=int,
        metavar=('C', 'H', 'W'),
        help="size of the input (default: that of the config's test images)",
    )
    parser.add_argument(
        '--batch', type=int, default=1, help='images of a batch (default: 1); all numbers are per batch'
    )
    parser.add_argument(
        '--repeats', type=int, default=40, help='timed passes, after 10 that are not (default: 40)'
    )
    parser.add_argument('--device', default='cpu', help='cpu (default), cuda, cuda:1, ...')
    parser.add_argument('--json', action='store_true', help='print JSON: bytes, counts and milliseconds')
    parser.add_argument('--debug', action='store_true', help='show the traceback of an error')
    return parser.parse_args(argv)


def cost(args: argparse.Namespace, attention: str | None) -> dict:
    """All numbers of the config's model with one preset."""
    cfg = load_config(args.config, attention=attention)
    model = model_under_test(cfg, args.device)
    inputs = make_input(cfg, args.shape, args.batch, args.device)
    return dict(
        config=args.config,
        attention=attention,
        shape=list(inputs.shape),
        counted=dict(parameters=count_parameters(model), madds=count_madds(model, inputs)['']),
        measured=dict(
            latency=measure_latency(model, inputs, repeats=args.repeats),
            peak_memory_bytes=peak_memory(model, inputs),
        ),
    )


def table_of(costs: list[dict]) -> Table:
    """One row per preset; the differences are to the first."""
    latency = costs[0]['measured']['latency']
    table = Table(
        title=f'{costs[0]["config"]}, input {" × ".join(map(str, costs[0]["shape"]))}',
        title_justify='left',
        caption=f'counted: parameters, multiply-adds; measured: latency (median, 20th to 80th percentile of '
        f'{latency["repeats"]}), peak memory; {latency["device"]}, {latency["threads"]} threads, '
        f'{latency["dtype"]}',
        caption_justify='left',
    )
    table.add_column('attention', no_wrap=True)
    for name in ('parameters', 'multiply-adds', 'latency', 'peak memory'):
        table.add_column(name, justify='right')
    first = costs[0]
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
        table.add_row(entry['attention'] or 'as given', *cells)
    return table


def change(value: float, reference: float, is_reference: bool) -> str:
    """The relative difference to the first preset, below the number itself."""
    return '' if is_reference else f'\n{value / reference - 1:+.2%}'


def main(argv: list[str] | None = None) -> None:
    """The command line."""
    args = parse_args(argv)
    with friendly_errors(args.debug):
        with redirect_stdout(sys.stderr):  # what the libraries have to say is no part of the answer
            costs = [cost(args, attention) for attention in args.attention]
        if args.json:
            print(json.dumps(costs if len(costs) > 1 else costs[0], indent=2))
        else:
            Console().print(table_of(costs))


if __name__ == '__main__':
    main()
