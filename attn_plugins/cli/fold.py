"""Merges nearly constant gates into the norm or convolution next to them, and reports the effect on the model."""

import argparse
import sys
from contextlib import redirect_stdout

from attn_plugins.cli.arguments import add_trained_options, folder, positive
from attn_plugins.cli.errors import friendly_errors
from attn_plugins.errors import UserError
from attn_plugins.files import write_json

EXAMPLES = """examples:
  every layer whose gate varies by no more than 5 %
    python tools/fold.py CONFIG CHECKPOINT --attention se --out folded/se
  what each of them does to the accuracy, one layer at a time, whatever its gate does
    python tools/fold.py CONFIG CHECKPOINT --attention se --out folded/se --force --one-by-one

FOLDER gets folded.pth, folded.py, a config that loads it, and fold.json."""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__
        + ' Means and spreads of the gates are those over the test images; labels are not read for them.',
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=EXAMPLES,
    )
    add_trained_options(parser)
    parser.add_argument('--out', type=folder, required=True, metavar='FOLDER', help='where the answers go')
    parser.add_argument('--layers', nargs='+', metavar='NAME', help='inserted layers (default: all)')
    parser.add_argument(
        '--tolerance',
        type=float,
        default=0.05,
        help='the greatest spread of a gate around its mean per channel, relative (default: 0.05)',
    )
    parser.add_argument('--force', action='store_true', help='fold gates of a greater spread too')
    parser.add_argument(
        '--one-by-one', action='store_true', help='test the model with each of the layers folded alone too'
    )
    parser.add_argument(
        '--images',
        type=positive,
        metavar='N',
        help='images of the census: N test images, drawn with a seed from all of them (default: all)',
    )
    parser.add_argument(
        '--repeats', type=positive, default=20, help='timed passes of one image (default: 20)'
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Writes the folded model and prints the outcome for each layer."""
    args = parse_args(argv)
    with friendly_errors(args.debug):
        if not args.tolerance >= 0:
            raise UserError(f'--tolerance {args.tolerance} must be 0 or more: 0.05 is 5 % of the mean gate')
        with redirect_stdout(sys.stderr):  # messages of the libraries do not belong to the output
            report = _fold(args)
        _print(report)
        print(args.out / 'fold.json')


def _fold(args: argparse.Namespace) -> dict:
    from copy import deepcopy
    from dataclasses import asdict

    import torch
    from rich.console import Console
    from rich.progress import track

    from attn_plugins.gates.census import take_census
    from attn_plugins.gates.fold import fold_layers
    from attn_plugins.gates.folded_config import folded_config
    from attn_plugins.gates.watch import choose_layers
    from attn_plugins.machine import git_commit, machine, versions
    from attn_plugins.training.config import load_config
    from attn_plugins.training.evaluation import TestData, load_model

    cfg = load_config(args.config, args.attention, args.cfg_options)
    model, meta = load_model(cfg, args.checkpoint)
    choose_layers(model, args.layers, args.config)  # before the data are read
    args.out.mkdir(parents=True, exist_ok=True)
    data = TestData(cfg, args.out / 'log')
    model.to(data.device)
    console = Console(stderr=True)
    batches = track(data.batches(args.images), 'census', console=console, transient=True)
    census = take_census(model, batches, names=args.layers, of=args.config)
    (first,) = data.batches(1)

    def run(model) -> None:
        model.test_step(deepcopy(first))

    def fold(names: list[str] | None) -> tuple:
        folded = deepcopy(model)
        return folded, fold_layers(folded, census, run, args.tolerance, args.force, names)

    folded, layers = fold(args.layers)
    merged = [layer.layer for layer in layers if layer.into]
    before = _figures(model, cfg, data, args.repeats)
    after = _figures(folded, cfg, data, args.repeats) if merged else before
    alone = {}
    if args.one_by_one:
        for name in track(merged, 'one by one', console=console, transient=True):
            alone[name] = data.metrics(fold([name])[0])
    new = folded_config(cfg, folded) if merged else None
    if merged:
        text = None
        if new is not None:
            new.dump(args.out / 'folded.py')
            text = new.pretty_text
        content = dict(state_dict=folded.cpu().state_dict(), meta=dict(meta, cfg=text, folded=merged))
        torch.save(content, args.out / 'folded.pth')
    report = dict(
        config=args.config,
        checkpoint=args.checkpoint,
        attention=args.attention,
        tolerance=args.tolerance,
        forced=args.force,
        images=min(args.images or len(data), len(data)),
        which=data.which(args.images),
        layers=[
            dict(asdict(layer), **({'metrics': alone[layer.layer]} if layer.layer in alone else {}))
            for layer in layers
        ],
        before=before,
        after=after,
        written=_written(merged, new),
        versions=versions(),
        machine=machine(),
        git_commit=git_commit(),
    )
    write_json(args.out / 'fold.json', report)
    return report


def _figures(model, cfg, data, repeats: int) -> dict:
    """Measures the model: the config's own test, parameters and latency of one image."""
    from attn_plugins.cost.cost import count_parameters, measure_latency
    from attn_plugins.cost.forward_pass import make_input

    inputs = make_input(cfg, model)
    return dict(
        metrics=data.metrics(model),
        parameters=count_parameters(model),
        input_shape=list(inputs.shape),
        latency=measure_latency(model, inputs, repeats),
    )


def _written(merged: list[str], cfg) -> str:
    """Describes in a sentence the files in the folder."""
    if not merged:
        return 'No layer could be folded, so no model was written.'
    if cfg is None:
        return (
            'folded.pth has the weights of the folded model, but plugins= has no words for the layers that are '
            'left, so '
            'there is no config that loads it: fold all layers of an entry of plugins=, or none (--layers).'
        )
    return 'folded.pth has the weights of the folded model, and folded.py is the config that loads it.'


def _print(report: dict) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    console.width = max(console.width, 130)  # a file has no width of its own
    first = next(iter(report['before']['metrics']), None)
    table = Table(title=f'{report["config"]}, means of {report["which"]}', title_justify='left')
    table.add_column('layer', min_width=28, overflow='fold')
    table.add_column('spread', justify='right')
    table.add_column('merged into, or why it stays')
    alone = any('metrics' in layer for layer in report['layers'])
    if alone:
        table.add_column(f'{first}, folded alone', justify='right')
    for layer in report['layers']:
        spread = '' if layer['spread'] is None else f'{layer["spread"]:.2%}'
        cells = [f'{layer["layer"]} ({layer["type"]})', spread, ', '.join(layer['into']) or layer['reason']]
        if alone:
            cells.append(f'{layer["metrics"][first]:.4f}' if 'metrics' in layer else '')
        table.add_row(*cells)
    console.print(table)
    both = Table('', 'before', 'after')
    before, after = report['before'], report['after']
    for name, value in before['metrics'].items():
        both.add_row(name, f'{value:.4f}', f'{after["metrics"][name]:.4f}')
    both.add_row('parameters', f'{before["parameters"]:,}', f'{after["parameters"]:,}')
    times = [each['latency'] for each in (before, after)]
    both.add_row(
        'latency', *(f'{t["median_ms"]:.1f} ms ({t["p20_ms"]:.1f}–{t["p80_ms"]:.1f})' for t in times)
    )
    console.print(both)
    console.print(report['written'])


if __name__ == '__main__':
    main()
