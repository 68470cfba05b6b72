"""Writes the cells of a report's tables: scores, differences, p values, costs."""

from attn_plugins.benchmark.decision import p_text
from attn_plugins.benchmark.report.section import Cell
from attn_plugins.benchmark.statistics import Estimate, PairedDifference

NOTHING = Cell('–', None)


def word_cell(text: str, detail: str = '', is_bad: bool = False) -> Cell:
    """Write words, which sort by themselves."""
    return Cell(text, text, detail, is_bad=is_bad)


def number_cell(value: float | None, text: str = '{:.2f}', detail: str = '') -> Cell:
    """Write a number in a format; a dash for None."""
    return NOTHING if value is None else Cell(minus(text.format(value)), value, detail)


def million_cell(count: int | None, digits: int) -> Cell:
    """Write a count in millions, and sort by the count."""
    return NOTHING if count is None else Cell(f'{count / 1e6:,.{digits}f} M', count)


def estimate_cell(score: Estimate | None, more: list[str] | None = None) -> Cell:
    """Write mean ± standard deviation with n, from three seeds on with the median, and what else there is to say."""
    if score is None:
        return Cell('; '.join(more), None) if more else NOTHING
    std = f' ± {score.std:.2f}' if score.std is not None else ''
    detail = [f'n = {score.n}'] + ([f'median {score.median:.2f}'] if score.n > 2 else [])
    return Cell(f'{score.mean:.2f}{std}', score.mean, '; '.join([*detail, *(more or [])]), score)


def difference_cell(difference: PairedDifference | None) -> Cell:
    """Write a paired difference with its spread and interval; of one pair only the number and 'n = 1'."""
    if difference is None:
        return NOTHING
    mean = signed(difference.mean)
    if difference.n == 1:
        return Cell(mean, difference.mean, 'n = 1', difference)
    low, high = map(signed, difference.interval)
    detail = f'n = {difference.n}, 95 %: {low} to {high}'
    if not difference.is_clear:
        detail += ', includes 0' if difference.std else ', without spread'
    return Cell(f'{mean} ± {difference.std:.2f}', difference.mean, detail, difference)


def p_cell(p: float | None, detail: str = '') -> Cell:
    """Write a p value: '0.031', '< 0.001'."""
    return NOTHING if p is None else Cell(p_text(p).removeprefix('= '), p, detail)


def signed(value: float) -> str:
    """Write a difference with its sign."""
    return minus(f'{value:+.2f}')


def minus(number: str) -> str:
    """Write a number with a minus sign where it has a hyphen."""
    return number.replace('-', '−')
