"""Carries out `benchmark_layers` after its arguments are parsed; separate, as it needs torch and `--help` does not."""

import argparse
import shlex
import sys
from contextlib import redirect_stdout
from functools import partial
from itertools import groupby
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from attn_plugins.errors import UserError
from attn_plugins.registry import nearest
from benchmarks.layers.measure import CASES, Case, Measured, measure
from benchmarks.layers.networks import (
    BATCHES,
    FORMATS,
    PRESETS,
    WAYS,
    build_network,
    measure_networks,
)
from benchmarks.layers.references import REFERENCES
from benchmarks.layers.report import Setting, unequal, write_report

CONFIG = Path('configs', 'resnet', 'resnet50_8xb32_in1k.py')


def cases_of(names: list[str] | None) -> list[Case]:
    """Returns the cases of these names, each a type or one case; all cases without names.

    Raises:
        UserError: There is none of a name.
    """
    known = dict.fromkeys(name for case in CASES for name in (case.type, case.name))
    for name in names or ():
        if name not in known:
            raise UserError(f'there is nothing to measure of {name!r}: {nearest(name, known)}')
    return [case for case in CASES if names is None or case.type in names or case.name in names]


def measure_layers(args: argparse.Namespace, setting: Setting, progress: Progress) -> list[Measured]:
    """Measures all cases; writes the files after each group, so that nothing is lost."""
    rows, done = [], 0
    groups = [
        list(group) for _, group in groupby(cases_of(args.layers), lambda case: case.group or case.name)
    ]
    ways = [
        sum(1 + setting.compiled + len(REFERENCES.get(case.type, ())) for case in group) for group in groups
    ]
    task = progress.add_task('', total=sum(ways) * args.repeats)
    for group, number in zip(groups, ways, strict=True):
        progress.update(task, description=', '.join(case.name for case in group))
        shape = args.pairwise_shape if group[0].pairwise else args.shape
        rows += measure(group, shape, args.repeats, setting.compiled, partial(progress.advance, task))
        done += number * args.repeats
        progress.update(task, completed=done)  # a case that is not equal, or missing, was not timed
        write_report(args.out, rows, setting)
    return rows


def measure_gpu(args: argparse.Namespace, rows: list[Measured], setting: Setting, progress: Progress) -> None:
    """Measures ResNet-50 with each layer on the GPU; writes the files after all networks of a column."""
    steps = len(PRESETS) * len(WAYS) * len(FORMATS) * len(BATCHES) * args.repeats
    task = progress.add_task('ResNet-50', total=steps)
    build = partial(build_network, CONFIG)
    for entry in measure_networks(build, repeats=args.repeats, tick=partial(progress.advance, task)):
        setting.networks.append(entry)
        if len(setting.networks) % len(PRESETS) == 0:
            write_report(args.out, rows, setting)


def benchmark(args: argparse.Namespace, words: list[str]) -> int:
    """Measures what the command line asks for, and prints the results' place; 0 if everything compared is equal."""
    cases_of(args.layers)
    threads = args.threads or torch.get_num_threads()
    torch.set_num_threads(threads)
    setting = Setting(
        command=shlex.join(['python', 'tools/benchmark_layers.py', *words]),
        threads=threads,
        repeats=args.repeats,
        device='cpu',
        compiled=not args.no_compile,
    )
    columns = (TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with redirect_stdout(sys.stderr), Progress(*columns, console=Console(stderr=True)) as progress:
        rows = measure_layers(args, setting, progress)
        if torch.cuda.is_available() and not args.no_networks:
            measure_gpu(args, rows, setting, progress)
    for path in write_report(args.out, rows, setting):
        print(path)
    red = unequal(rows)
    for sentence in red:
        print(sentence, file=sys.stderr)
    return int(bool(red))
