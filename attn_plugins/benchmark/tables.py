"""The tables of a report: of a config's presets, and of each preset beside its controls; the same on the screen and on a page."""

from dataclasses import dataclass

from attn_plugins.benchmark.compare import Comparison, Control, PresetResult
from attn_plugins.benchmark.results import clock
from attn_plugins.benchmark.statistics import Estimate
from attn_plugins.benchmark.suite_presets import BASELINE


@dataclass(frozen=True)
class Cell:
    """A table cell: what it shows, what it sorts by (None goes last), and a second, smaller line."""

    text: str
    order: float | str | None
    detail: str = ''


NOTHING = Cell('–', None)


@dataclass(frozen=True)
class ReportTable:
    """A table: what it is of, its columns' names, its rows."""

    title: str
    header: list[str]
    rows: list[list[Cell]]


def preset_table(comparison: Comparison) -> ReportTable:
    """A config's table, with a row for each preset."""
    return ReportTable(
        comparison.name, _header(comparison), [_cells(result) for result in comparison.presets]
    )


def control_tables(comparison: Comparison) -> list[ReportTable]:
    """A table for each preset with controls: its gain, and below it each control's and the difference between the two."""
    return [
        ReportTable(
            f'{controlled.preset} beside its controls',
            ['preset', f'minus {BASELINE}', f'{controlled.preset} minus it', 'least that could show'],
            [
                [_name(controlled.preset), difference_cell(controlled.gain), NOTHING, NOTHING],
                *(_control_cells(control) for control in controlled.controls),
            ],
        )
        for controlled in comparison.controls
    ]


def _control_cells(control: Control) -> list[Cell]:
    least = control.difference.half_width if control.difference else None
    return [
        _name(control.preset),
        difference_cell(control.gain),
        difference_cell(control.difference),
        NOTHING if least is None else Cell(f'{least:.2f}', least),
    ]


def _name(preset: str) -> Cell:
    return Cell(preset, preset)


def _header(comparison: Comparison) -> list[str]:
    metric = comparison.metric
    score = metric.name + (', %' if metric.unit else '') if metric else 'score'
    return [
        'preset',
        score,
        f'minus {BASELINE}',
        'parameters',
        'M-Adds',
        'train time',
        'memory',
    ]


def _cells(result: PresetResult) -> list[Cell]:
    seconds, memory = result.train_seconds, result.memory_mb
    return [
        Cell(result.preset, result.preset, result.twin),
        score_cell(result),
        difference_cell(result.difference),
        Cell(_millions(result.parameters, 3), result.parameters),
        Cell(_millions(result.madds, 1), result.madds),
        Cell(clock(seconds) if seconds is not None else '–', seconds),
        Cell(f'{memory:,.0f} MB' if memory else '–', memory, result.memory_of),
    ]


def score_cell(result: PresetResult) -> Cell:
    """Mean ± std (n) of the finished seeds, and the state of the others: what is missing is never left out."""
    by_state: dict[str, list[str]] = {}
    for seed, (state, _) in result.unfinished.items():
        by_state.setdefault(state, []).append(str(seed))
    missing = '; '.join(
        f'seed{"s" if len(seeds) > 1 else ""} {", ".join(seeds)} {state}' for state, seeds in by_state.items()
    )
    score = result.score
    if score is None:
        return Cell(missing, None)
    std = f' ± {score.std:.2f}' if score.std is not None else ''
    return Cell(f'{score.mean:.2f}{std}', score.mean, f'n = {score.n}' + (f'; {missing}' if missing else ''))


def difference_cell(difference: Estimate | None) -> Cell:
    """A paired difference with its spread and interval; with one pair only the number and 'n = 1'."""
    if difference is None:
        return NOTHING
    if difference.n == 1:
        return Cell(_signed(difference.mean), difference.mean, 'n = 1')
    low, high = map(_signed, difference.interval)
    return Cell(
        f'{_signed(difference.mean)} ± {difference.std:.2f}',
        difference.mean,
        f'n = {difference.n}, 95 %: {low} to {high}',
    )


def _signed(value: float) -> str:
    return f'{value:+.2f}'.replace('-', '−')


def _millions(count: int | None, digits: int) -> str:
    return f'{count / 1e6:,.{digits}f} M' if count is not None else '–'
