"""The tables of a report, the same on the screen and on a page: of a config's presets, of their differences, of each preset beside its controls."""

from dataclasses import dataclass, field

from attn_plugins.benchmark.decision import p_text
from attn_plugins.benchmark.report.compare import Comparison, Control, Controlled, Pair, PresetResult
from attn_plugins.benchmark.results import clock
from attn_plugins.benchmark.statistics import Estimate, PairedDifference
from attn_plugins.benchmark.suite_presets import BASELINE
from attn_plugins.benchmark.tuning import Tried


@dataclass(frozen=True)
class Cell:
    """A table cell: what it shows, what it sorts by (None goes last), and a second, smaller line."""

    text: str
    order: float | str | None
    detail: str = ''


NOTHING = Cell('–', None)


@dataclass(frozen=True)
class ReportTable:
    """A table: what it is of, its columns' names, its rows, and lines below it."""

    title: str
    header: list[str]
    rows: list[list[Cell]]
    notes: list[str] = field(default_factory=list)

    @property
    def is_text(self) -> list[bool]:
        """Of each column, whether it holds words, which stand to the left, and no numbers."""
        return [any(isinstance(row[i].order, str) for row in self.rows) for i in range(len(self.header))]


def tables_of(comparison: Comparison) -> list[ReportTable]:
    """Make the tables of a config in one of its tests, in the order in which they are shown."""
    tables = [_preset_table(comparison)]
    if comparison.pairs:
        tables.append(_difference_table(comparison))
    tables += [_control_table(controlled) for controlled in comparison.controls]
    return tables + ([_tuning_table(comparison)] if comparison.tuned else [])


def _preset_table(comparison: Comparison) -> ReportTable:
    """A row for each preset: its score beside what it costs."""
    metric, results = comparison.metric, comparison.presets
    unit = ', %' if metric and metric.unit else ''
    columns = {
        'preset': _preset_cell,
        (metric.name if metric else 'score') + unit: score_cell,
        f'best validation{unit}': _best_cell,
        f'minus {BASELINE}': lambda result: difference_cell(result.difference),
        'parameters': lambda result: Cell(_millions(result.parameters, 3), result.parameters),
        'M-Adds': lambda result: Cell(_millions(result.madds, 1), result.madds),
        'train time': _time_cell,
        'memory': _memory_cell,
    }
    if not any(result.best for result in results):
        del columns[f'best validation{unit}']
    rows = [[cell(result) for cell in columns.values()] for result in results]
    caveats = [f'{result.preset}: {caveat}' for result in results for caveat in result.caveats]
    return ReportTable(comparison.name, list(columns), rows, caveats + _uncounted(comparison))


def _difference_table(comparison: Comparison) -> ReportTable:
    """A row for each difference of two presets, with its tests and its verdict."""
    columns = {
        'difference': lambda pair: _name(f'{pair.first} minus {pair.second}'),
        'mean': lambda pair: difference_cell(pair.difference),
        'verdict': _verdict_cell,
        'p (t)': lambda pair: _p_cell(pair.difference and pair.difference.p_t),
        'p (sign flips)': _flip_cell,
        'p (Holm)': lambda pair: _p_cell(pair.verdict.p_holm),
        'correlation': lambda pair: _number_cell(pair.difference and pair.difference.correlation),
        'least to show': lambda pair: _number_cell(pair.verdict.least_difference),
    }
    rows = [[cell(pair) for cell in columns.values()] for pair in comparison.pairs]
    return ReportTable('Differences', list(columns), rows)


def _control_table(controlled: Controlled) -> ReportTable:
    """A row for a preset's own gain, and below it each control's and the difference between the two."""
    return ReportTable(
        f'{controlled.preset} beside its controls',
        ['preset', f'minus {BASELINE}', f'{controlled.preset} minus it'],
        [
            [_name(controlled.preset), difference_cell(controlled.gain), NOTHING],
            *(_control_cells(control) for control in controlled.controls),
        ],
    )


def _tuning_table(comparison: Comparison) -> ReportTable:
    """A row for each preset: the mean score of each combination of values on the training images that were held out."""
    tuned = comparison.tuned
    columns = ['preset', *(each.values for each in next(iter(tuned.values())))]
    rows = [[_name(preset), *map(_tried_cell, each)] for preset, each in tuned.items()]
    note = (
        'Mean score on training images that were held out, over the seeds of the trials; chosen: the values that the preset was then '
        'trained with. The test data are no part of it.'
    )
    return ReportTable('Tuning', columns, rows, [note])


def _tried_cell(each: Tried) -> Cell:
    if each.score is None:
        return Cell(each.what, None)
    return Cell(f'{each.score:.2f}', each.score, 'chosen' if each.is_chosen else '')


def _control_cells(control: Control) -> list[Cell]:
    return [_name(control.preset), difference_cell(control.gain), difference_cell(control.difference)]


def _name(preset: str) -> Cell:
    return Cell(preset, preset)


def _preset_cell(result: PresetResult) -> Cell:
    return Cell(result.preset, result.preset, result.twin)


def _time_cell(result: PresetResult) -> Cell:
    seconds = result.train_seconds
    return NOTHING if seconds is None else Cell(clock(seconds), seconds)


def _memory_cell(result: PresetResult) -> Cell:
    memory = result.memory_mb
    return Cell(f'{memory:,.0f} MB' if memory else '–', memory, result.memory_of)


def score_cell(result: PresetResult) -> Cell:
    """Mean ± std (n) of the finished seeds, and what became of the others: what is missing is never left out."""
    by_state: dict[str, list[str]] = {}
    for seed, (state, _) in result.unfinished.items():
        by_state.setdefault(state, []).append(str(seed))
    missing = [
        f'seed{"s" if len(seeds) > 1 else ""} {", ".join(seeds)} {state}' for state, seeds in by_state.items()
    ]
    return _estimate_cell(result.score, missing)


def _best_cell(result: PresetResult) -> Cell:
    return _estimate_cell(result.best)


def _estimate_cell(score: Estimate | None, more: list[str] | None = None) -> Cell:
    """Mean ± std with n; from three seeds on the median too."""
    if score is None:
        return Cell('; '.join(more), None) if more else NOTHING
    std = f' ± {score.std:.2f}' if score.std is not None else ''
    detail = [f'n = {score.n}'] + ([f'median {score.median:.2f}'] if score.n > 2 else [])
    return Cell(f'{score.mean:.2f}{std}', score.mean, '; '.join([*detail, *(more or [])]))


def difference_cell(difference: PairedDifference | None) -> Cell:
    """A paired difference with its spread and interval; with one pair only the number and 'n = 1'."""
    if difference is None:
        return NOTHING
    if difference.n == 1:
        return Cell(_signed(difference.mean), difference.mean, 'n = 1')
    low, high = map(_signed, difference.interval)
    return Cell(
        f'{_signed(difference.mean)} ± {difference.std:.2f}',
        difference.mean,
        f'n = {difference.n}, 95 %: {low} to {high}'
        + ('' if difference.is_clear else ', not clear of 0' if difference.std else ', without spread'),
    )


def _p_cell(p: float | None, detail: str = '') -> Cell:
    return NOTHING if p is None else Cell(p_text(p).removeprefix('= '), p, detail)


def _flip_cell(pair: Pair) -> Cell:
    difference = pair.difference
    if difference is None or difference.flips is None:
        return NOTHING
    return _p_cell(difference.p_sign_flip, f'{difference.flips:,} flips')


def _number_cell(value: float | None) -> Cell:
    return NOTHING if value is None else Cell(f'{value:.2f}', value)


def _verdict_cell(pair: Pair) -> Cell:
    detail = '; '.join(filter(None, (pair.verdict.reason, pair.rests_on)))
    return Cell(pair.verdict.word, pair.verdict.word, detail)


def _uncounted(comparison: Comparison) -> list[str]:
    """Say why parameters and M-Adds of a config's presets are missing, each reason once."""
    reasons: dict[str, list[str]] = {}
    for result in comparison.presets:
        if result.why_not_counted:
            reasons.setdefault(result.why_not_counted, []).append(result.preset)
    return [f'not counted ({", ".join(presets)}): {reason}' for reason, presets in reasons.items()]


def _signed(value: float) -> str:
    return f'{value:+.2f}'.replace('-', '−')


def _millions(count: int | None, digits: int) -> str:
    return f'{count / 1e6:,.{digits}f} M' if count is not None else '–'
