"""Times a training step of ResNet-50 with a layer of ours in every block against timm's module, on this CPU.

Both hosts have the same weights and give the same result, which is compared first. Every round times the plain host and
all others once, in a new order; the printed values are medians over the rounds. Writes docs/benchmarks/models.csv and
models.md; times on a busy machine are useless.
"""

import argparse
import csv
import sys
import time
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from random import Random
from statistics import median

import torch
from mmengine.registry import MODELS
from rich.console import Console
from rich.progress import track
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from attn_plugins import inserted_layers, plug
from attn_plugins.machine import machine, versions
from benchmarks.layers.references import REFERENCES
from benchmarks.layers.references.reference import TIMM

FOLDER = Path(__file__).resolve().parents[2] / 'docs' / 'benchmarks'
HOST = dict(type='mmpretrain.ResNet', depth=50)
LAYERS = ('SE', 'CBAM', 'CoordAttention')
# Height and width of the images -> images per batch.
BATCHES = {64: (1, 4, 16), 128: (1, 4), 224: (1, 2), 512: (1,)}
PLAIN = 'plain'
# The plain model once more: the measured difference of two equal models is the scale for the others' differences.
AGAIN = 'plain, again'


def with_timm(model: nn.Module, name: str) -> nn.Module:
    """Returns a copy in which timm's module replaces each layer, with its weights."""
    (rival,) = [rival for rival in REFERENCES[name] if rival.source == TIMM]
    twin = deepcopy(model)
    for path, layer in inserted_layers(twin).items():
        parent, _, child = path.rpartition('.')
        setattr(twin.get_submodule(parent), child, rival.with_weights_of(layer))
    return twin


def build_models(names: tuple[str, ...]) -> dict[str, nn.Module]:
    """Builds the plain host, and for each layer a model with ours and one with timm's."""
    torch.manual_seed(0)
    host = MODELS.build(HOST)
    models = {PLAIN: host, AGAIN: host}
    for name in names:
        layer = dict(cfg=dict(type=f'attn_plugins.{name}'), position='after_conv3')
        models[f'{name}, ours'] = plug(deepcopy(host), [layer])
        models[f'{name}, timm'] = with_timm(models[f'{name}, ours'], name)
    # A model's position in memory changes its time by 2 % on small maps, so all are laid out by the same copy.
    models = {key: deepcopy(model) for key, model in models.items()}
    for model in models.values():
        model.train()
    return models


def step(model: nn.Module, images: Tensor) -> Tensor:
    """Runs forward and backward in training; returns the last map."""
    model.zero_grad()
    y = model(images)[-1]
    y.mean().backward()
    return y


def compared(models: dict) -> list[str]:
    """Lists the layers among the models."""
    return list(dict.fromkeys(key.partition(',')[0] for key in models if key not in (PLAIN, AGAIN)))


def check_equal(models: dict[str, nn.Module], images: Tensor) -> None:
    """Exits unless ours and timm's give the same map."""
    for name in compared(models):
        ours, theirs = (step(deepcopy(models[f'{name}, {whose}']), images) for whose in ('ours', 'timm'))
        if (ours - theirs).abs().max() > 1e-3 * theirs.abs().max():
            sys.exit(f"error: {name} and timm's do not compute the same")


def time_rounds(models: dict[str, nn.Module], images: Tensor, rounds: int) -> dict[str, list[float]]:
    """Measures every model's milliseconds in every round, after two rounds that are not counted."""
    order, times = Random(0), {name: [] for name in models}
    for turn in range(-2, rounds):
        for name in order.sample(list(models), len(models)):  # so that none always runs after the same one
            started = time.perf_counter()
            step(models[name], images)
            if turn >= 0:
                times[name].append(1e3 * (time.perf_counter() - started))
    return times


def rows_of(times: dict[str, list[float]], **at) -> Iterator[dict]:
    """Yields a row per layer: what ours and timm's add to the plain step in percent, and ours over timm's."""
    plain = median(times[PLAIN])
    again = median(a / b for a, b in zip(times[AGAIN], times[PLAIN], strict=True))
    for name in compared(times):
        ours, theirs = times[f'{name}, ours'], times[f'{name}, timm']
        yield dict(
            at,
            layer=name,
            plain_ms=round(plain, 1),
            timm_percent=round(100 * (median(theirs) / plain - 1), 1),
            ours_percent=round(100 * (median(ours) / plain - 1), 1),
            ours_over_timm=round(median(a / b for a, b in zip(ours, theirs, strict=True)), 3),
            plain_over_plain=round(again, 3),
        )


def render(rows: list[dict], command: str, beside: str) -> str:
    """Renders the table in Markdown."""
    head = (
        'image',
        'batch',
        'threads',
        'plain',
        'layer',
        "timm's adds",
        'ours adds',
        "ours / timm's",
        'plain / plain',
    )
    lines = [
        '# Whole models: ResNet-50 with a layer in every block',
        '',
        "A training step beside that of the plain model, with the layer of this package and with timm's module "
        'in the same places, '
        'with the same weights and results. Medians of interleaved rounds; the last columns are medians of the '
        'ratios of a round: '
        'below 1 where ours is the faster, and that of two equal plain models, whose distance from 1 is what '
        'this clock cannot tell.',
        '',
        '| ' + ' | '.join(head) + ' |',
        '| ' + ' | '.join(['---:'] * len(head)) + ' |',
    ]
    for r in rows:
        lines.append(
            f'| {r["size"]} | {r["batch"]} | {r["threads"]} | {r["plain_ms"]:.0f} ms | {r["layer"]} | '
            f'{r["timm_percent"]:+.1f} % | '
            f'{r["ours_percent"]:+.1f} % | {r["ours_over_timm"]:.3f} | {r["plain_over_plain"]:.3f} |'
        )
    here = machine()
    lines += [
        '',
        f'`{command}` on {here["cpu"]}, {here["cores"]} cores, {versions()["torch"]} of torch; beside it ran: '
        f'{beside}.',
    ]
    return '\n'.join(lines) + '\n'


def main() -> None:
    """Times all sizes with one thread and with two, and writes the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--rounds', type=int, default=12, help='counted rounds (default: 12)')
    parser.add_argument('--threads', type=int, nargs='+', default=[1, 2], help='of torch (default: 1 2)')
    parser.add_argument('--sizes', type=int, nargs='+', default=list(BATCHES), help='of the images')
    parser.add_argument(
        '--layers', nargs='+', default=LAYERS, help=f'layers that timm has too (default: {" ".join(LAYERS)})'
    )
    parser.add_argument(
        '--beside', default='nothing', help='what else ran on the machine, for the note below the table'
    )
    parser.add_argument('--out', type=Path, default=FOLDER, help='folder (default: docs/benchmarks)')
    args = parser.parse_args()
    console, rows = Console(stderr=True), []
    cases = [(t, size, batch) for t in args.threads for size in args.sizes for batch in BATCHES[size]]
    models = build_models(tuple(args.layers))
    for threads, size, batch in track(cases, 'training steps', console=console):
        torch.set_num_threads(threads)
        images = torch.randn(batch, 3, size, size)
        check_equal(models, images)
        times = time_rounds(models, images, args.rounds)
        rows += rows_of(times, size=size, batch=batch, threads=threads)
    args.out.mkdir(parents=True, exist_ok=True)
    with (args.out / 'models.csv').open('w', newline='') as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    (args.out / 'models.md').write_text(render(rows, f'python {" ".join(sys.argv)}', args.beside))
    console.print((args.out / 'models.md').read_text(), markup=False)


if __name__ == '__main__':
    main()
