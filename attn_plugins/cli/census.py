"""Measures how much a trained model's gates vary: between images, channels and places, and under attacks."""

import argparse
import sys
from contextlib import redirect_stdout
from pathlib import Path

from attn_plugins.cli.arguments import ConfigOptions, add_trained_options, folder, positive
from attn_plugins.cli.errors import friendly_errors
from attn_plugins.files import write_json

EXAMPLES = """examples:
  the gates of one model over the config's test data
    python tools/census.py CONFIG CHECKPOINT --attention iebn --out census/iebn
  the same weights under an attack, on the same images
    python tools/census.py CONFIG CHECKPOINT --attacked noise model.backbone.norm_cfg.at_test=True --images 500"""


class Attack(ConfigOptions):
    """argparse's action for `--attacked [NAME] KEY=VALUE ...`; each repetition adds an attack, named by its words."""

    def __call__(self, parser, namespace, values, option_string=None):
        """Adds an attack to the earlier ones."""
        attacks = dict(getattr(namespace, self.dest))
        named = len(values) > 1 and '=' not in values[0]
        setattr(namespace, self.dest, None)  # else an existing value would be merged with the pairs
        super().__call__(parser, namespace, values[named:], option_string)
        attacks[values[0] if named else ' '.join(values)] = getattr(namespace, self.dest)
        setattr(namespace, self.dest, attacks)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, epilog=EXAMPLES
    )
    add_trained_options(parser)
    parser.add_argument(
        '--images',
        type=positive,
        metavar='N',
        help='N test images, drawn with a seed from all of them (default: all)',
    )
    parser.add_argument('--layers', nargs='+', metavar='NAME', help='inserted layers (default: all)')
    parser.add_argument(
        '--attacked',
        nargs='+',
        action=Attack,
        default={},
        metavar='KEY=VALUE',
        help='single values of the config that make it the attacked model; repeat it for several '
        'attacks; a first word without '
        "'=' is the attack's name",
    )
    parser.add_argument(
        '--out',
        type=folder,
        default=Path('census'),
        metavar='FOLDER',
        help='where census.json, census.svg and, of SEM, decisions.svg go (default: census)',
    )
    parser.add_argument('--format', choices=['svg', 'png'], default='svg', help='of the pictures')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Writes the census and prints a table of it."""
    args = parse_args(argv)
    with friendly_errors(args.debug):
        with redirect_stdout(sys.stderr):  # messages of the libraries do not belong to the output
            report = _census(args)
        _print(report)
        print(args.out / 'census.json')


def _census(args: argparse.Namespace) -> dict:
    from rich.console import Console
    from rich.progress import track

    from attn_plugins.gates.census import take_census
    from attn_plugins.gates.census_plot import draw_census, draw_decisions
    from attn_plugins.gates.watch import choose_layers
    from attn_plugins.machine import git_commit, versions
    from attn_plugins.training.config import load_config
    from attn_plugins.training.evaluation import TestData, load_model

    cfg = load_config(args.config, args.attention, args.cfg_options)
    model, _ = load_model(cfg, args.checkpoint)
    choose_layers(model, args.layers, args.config)  # before the data are read
    attacked = {}
    for name, options in args.attacked.items():
        other = load_config(args.config, args.attention, {**(args.cfg_options or {}), **options})
        attacked[name], _ = load_model(other, args.checkpoint)
    args.out.mkdir(parents=True, exist_ok=True)
    data = TestData(cfg, args.out / 'log')
    for each in (model, *attacked.values()):
        each.to(data.device)
    batches = track(data.batches(args.images), 'census', console=Console(stderr=True), transient=True)
    found = take_census(model, batches, names=args.layers, attacked=attacked, of=args.config)
    layers = [census.result() for census in found.values()]
    report = dict(
        config=args.config,
        checkpoint=args.checkpoint,
        attention=args.attention,
        images=min(args.images or len(data), len(data)),
        which=data.which(args.images),
        attacks=list(attacked),
        layers=layers,
        versions=versions(),
        git_commit=git_commit(),
    )
    write_json(args.out / 'census.json', report)
    title = f'{Path(args.config).stem}, {Path(args.checkpoint).name}: {report["which"]}'
    draw_census(layers, title, args.out / f'census.{args.format}')
    draw_decisions(layers, args.out / f'decisions.{args.format}')
    return report


def _print(report: dict) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(
        title=f'{report["config"]}, {report["which"]}',
        caption='std: standard deviations of the gate between images (of a channel), channels and '
        'places; spread: what a '
        'constant per channel misses of the gate, relative; saturated: within 5 % of an end of the range',
        title_justify='left',
        caption_justify='left',
    )
    columns = ('mean', 'std images', 'std channels', 'std places', 'spread', 'saturated')
    table.add_column('layer', min_width=28, overflow='fold')
    for name in (*columns, *(f'distance: {attack}' for attack in report['attacks'])):
        table.add_column(name, justify='right')
    for layer in report['layers']:
        name = f'{layer["layer"]} ({layer["type"]})'
        if not layer['gate']:
            table.add_row(name, 'no gate', f'changes by {layer["relative_change"]:.1%}')
            continue
        deviations, saturated = layer['deviations'], layer['saturated']
        values = [layer['mean'], *(deviations[f'between_{of}'] for of in ('images', 'channels', 'places'))]
        distances = [layer['distance'].get(attack) for attack in report['attacks']]
        table.add_row(
            name,
            *(f'{value:.4f}' for value in values),
            f'{layer["relative_spread"]:.2%}',
            f'{saturated["low"] + saturated["high"]:.1%}',
            *('' if distance is None else f'{distance:.2%}' for distance in distances),
        )
    console = Console()
    console.width = max(console.width, 130)  # a file has no width of its own
    console.print(table)


if __name__ == '__main__':
    main()
