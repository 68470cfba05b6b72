"""Writes the layers' benchmark: layers.csv with every number, layers.md as a page, layers.svg as a picture."""

import csv
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from attn_plugins.files import write_text
from attn_plugins.machine import git_commit, machine, versions
from benchmarks.layers.measure import COMPILED, EAGER, Contender, Measured
from benchmarks.layers.networks import LIMITS
from benchmarks.layers.plot import draw
from benchmarks.layers.references import AUTHORS, OPENMMLAB, TIMM

WAYS = (EAGER, COMPILED, AUTHORS, TIMM, OPENMMLAB)
REFERENCES = (AUTHORS, TIMM, OPENMMLAB)
HEADER = (
    'layer',
    'counted, operators',
    'floor',
    'counted, compiler',
    'eager',
    'compiled',
    "authors' formula",
    'timm',
    'OpenMMLab',
    'eager: times as fast',
    'compiled: times as fast',
    'kept',
    "kept, authors' formula",
)
LEGEND = """\
Counted (the same on every machine): maps read and written in one training step, forward + backward. *Counted,
operators*: by the operators of the eager layer, each distinct tensor once per operator, views free; a batch norm
is one operator and counts 2 + 3, though its kernels read the map as often as its floor says. *Floor*: the least
that any implementation must move when a map does not fit the caches; the reasons stand below. *Counted, compiler*:
by torch's compiler of its own kernels, a buffer once per kernel, so a kernel that reads a channel twice from the
cache counts one reading. *UnfusedNorm*: MiB that the forward pass leaves for the backward pass, input included.

Measured (this machine, as busy as it was): milliseconds of one training step, forward and backward with the
gradient of the input, gradients deleted before: median (first to third quartile). All of one row are timed in turn
in one process, each step alone after two that are not timed. *Authors' formula*: the equation as the authors' code
computes it, in plain torch (`tools/benchmarks/layers/references`). *Times as fast*: the authors' median over the
layer's.

Nothing is timed that does not compute the same: output and every gradient are compared in float64 with the
layer's, with the same weights; what differs by more than rounding is shown as *not equal*, and no speed-up is given."""


@dataclass
class Setting:
    """The conditions of the measurement.

    Attributes:
        command: The command line.
        threads: Of torch.
        repeats: Timed steps of each.
        device: Where the layers ran.
        compiled: Whether they were compiled too.
        networks: The result of `measure_networks`; empty without a GPU.
    """

    command: str
    threads: int
    repeats: int
    device: str
    compiled: bool
    networks: list[dict] = field(default_factory=list)


def write_report(folder: Path, rows: Sequence[Measured], setting: Setting) -> list[Path]:
    """Writes layers.csv, layers.md and layers.svg; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / 'layers.csv').open('w', newline='') as file:
        records = [record(row) for row in rows]
        writer = csv.DictWriter(file, records[0].keys(), lineterminator='\n')
        writer.writeheader()
        writer.writerows(records)
    write_text(folder / 'layers.md', page(rows, setting))
    draw(rows, folder / 'layers.svg')
    written = [folder / f'layers.{suffix}' for suffix in ('csv', 'md', 'svg')]
    if setting.networks:
        written.append(folder / 'networks.csv')
        with written[-1].open('w', newline='') as file:
            writer = csv.writer(file, lineterminator='\n')
            writer.writerow(
                ['network', 'way', 'format', 'batch', 'q1_ms', 'median_ms', 'q3_ms', 'over_plain']
            )
            for entry in setting.networks:
                first = [entry[key] for key in ('network', 'way', 'format', 'batch')]
                writer.writerow([*first, *entry['quartiles'], entry['over_plain']])
    return written


def record(row: Measured) -> dict:
    """Returns a row of layers.csv: every number, none of them rounded; missing values are empty."""
    found: dict = dict(layer=row.case, shape='x'.join(map(str, row.shape)), map_bytes=row.map_bytes)
    for source, counted in (('operators', row.traffic), ('compiler', row.compiled_traffic)):
        for direction in ('forward', 'backward'):
            found[f'{source}_{direction}_maps'] = counted and counted[direction] / row.map_bytes
    for direction in ('forward', 'backward'):
        found[f'floor_{direction}_maps'] = row.floor and row.floor[direction]
    for way in WAYS:
        contender = row.contenders.get(way)
        times = contender and contender.quartiles()
        for i, name in enumerate(('q1', 'median', 'q3')):
            found[f'{way}_{name}_ms'] = times and times[i]
        found[f'{way}_equal'] = contender and contender.equal
        found[f'{way}_error'] = contender and contender.error
        found[f'{way}_kept_bytes'] = row.kept.get(way)
    for way in (EAGER, COMPILED):
        for rival in REFERENCES:
            found[f'{way}_over_{rival}'] = row.speed_up(way, rival)
    return found


def unequal(rows: Sequence[Measured]) -> list[str]:
    """Returns a sentence for every implementation that does not compute the same as its layer."""
    return [
        f'{row.case}, {contender.way}: {_not_equal(contender)}'
        for row in rows
        for contender in row.contenders.values()
        if contender.module is not None and not contender.equal
    ]


def page(rows: Sequence[Measured], setting: Setting) -> str:
    """Returns the content of layers.md."""
    where, used = machine(), versions()
    with suppress(PackageNotFoundError):
        used['timm'] = version('timm')
    gpus = ', '.join(where['gpus']) or 'no GPU'
    lines = [
        '# Layers, counted and measured',
        '',
        f'Written by `{setting.command}` on {date.today().isoformat()} at commit {git_commit()}: '
        f'{where["cpu"]}, {where["cores"]} cores, '
        f'{setting.threads} thread{"s" if setting.threads > 1 else ""}, {where["memory_gib"]} GiB, {gpus}; layers on '
        f'{setting.device} in float32, {setting.repeats} timed steps each; '
        + ', '.join(f'{name} {number}' for name, number in used.items())
        + '.',
        '',
        LEGEND,
        '',
    ]
    for shape, group in _by_shape(rows):
        lines += [
            f'## Map {" x ".join(map(str, shape))}',
            '',
            *_table(HEADER, [cells(row) for row in group]),
            '',
        ]
    red = unequal(rows)
    if red:
        lines += ['Not equal, so nothing is compared:', '', *(f'* {sentence}' for sentence in red), '']
    if not setting.compiled:
        lines += ['Nothing was compiled (`--no-compile`).', '']
    lines += ['![Milliseconds of a training step](layers.svg)', '']
    lines += ['## Floors', '']
    lines += [f'* {row.case}: {_maps(row.floor)}: {row.floor["reason"]}.' for row in rows if row.floor]
    lines += ['', '## ResNet-50 on a GPU', '', *networks(setting.networks)]
    return '\n'.join(lines) + '\n'


def cells(row: Measured) -> list[str]:
    """Returns a row of the page's table."""
    speed_ups = [row.speed_up(way, AUTHORS) for way in (EAGER, COMPILED)]
    return [
        row.case,
        _maps({key: value / row.map_bytes for key, value in row.traffic.items()}),
        _maps(row.floor),
        _maps(
            row.compiled_traffic
            and {key: value / row.map_bytes for key, value in row.compiled_traffic.items()}
        ),
        *(_time(row.contenders.get(way)) for way in WAYS),
        *('–' if value is None else f'{value:.2f}' for value in speed_ups),
        *(_mebibytes(row.kept.get(way)) for way in (EAGER, AUTHORS)),
    ]


def networks(entries: Sequence[dict]) -> list[str]:
    """Returns the lines about whole networks."""
    if not entries:
        return ['No GPU at hand: none of these were measured.']
    columns = list(dict.fromkeys((entry['way'], entry['format'], entry['batch']) for entry in entries))
    by_place = {(e['network'], e['way'], e['format'], e['batch']): e for e in entries}
    rows = []
    for name in dict.fromkeys(entry['network'] for entry in entries):
        rows.append([name, *(_network(by_place[(name, *column)]) for column in columns)])
    limits = ', '.join(f'{way} {limit:.0%}' for way, limit in LIMITS.items())
    return [
        'Milliseconds of a training step under autocast to bfloat16, 224 x 224 pixels: median (first to third '
        f'quartile), and what is added to the plain network. What SE and ECA may add: {limits}.',
        '',
        *_table(['network', *(f'{way}, {layout}, batch {batch}' for way, layout, batch in columns)], rows),
    ]


def _network(entry: dict) -> str:
    return f'{_quartiles(entry["quartiles"])} {entry["over_plain"]:+.1%}'


def _by_shape(rows: Sequence[Measured]) -> Iterator[tuple[tuple, list[Measured]]]:
    for shape in dict.fromkeys(tuple(row.shape) for row in rows):
        yield shape, [row for row in rows if tuple(row.shape) == shape]


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    align = ['---', *('---:' for _ in header[1:])]
    return [f'| {" | ".join(row)} |' for row in (header, align, *rows)]


def _maps(counted: dict | None) -> str:
    return f'{counted["forward"]:.3g} + {counted["backward"]:.3g}' if counted else '–'


def _time(contender: Contender | None) -> str:
    if contender is None:
        return '–'
    if contender.module is None:
        return contender.reason
    return _quartiles(contender.quartiles()) if contender.equal else _not_equal(contender)


def _quartiles(times: Sequence[float]) -> str:
    low, median, high = times
    return f'{median:.2f} ({low:.2f}–{high:.2f})'


def _not_equal(contender: Contender) -> str:
    return f'not equal: {contender.differs} by {contender.error:.0e}'


def _mebibytes(count: int | None) -> str:
    return '–' if count is None else f'{count / 2**20:.1f}'
