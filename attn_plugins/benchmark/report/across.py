"""Makes the report of suites side by side: the sections that every writer walks over."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path

from attn_plugins.benchmark.report.cells import NOTHING, difference_cell, million_cell, signed, word_cell
from attn_plugins.benchmark.report.findings import difference_words, known
from attn_plugins.benchmark.report.section import Cell, Report, Section, Table
from attn_plugins.benchmark.report.sections import (
    SCORES_LEGEND,
    latency_cell,
    legend_of,
    origin,
    score_cell,
    time_cell,
    unfinished,
)
from attn_plugins.benchmark.report.side_by_side import (
    Across,
    Row,
    Side,
    Together,
    not_shared,
    settings_that_differ,
    together,
)

VERDICT = (
    'No verdict is given across suites: no comparison of theirs was declared beforehand, and what differs between them '
    'beside their presets stands under "Settings that differ" and "Made with".'
)
LEGEND = (
    'Suites side by side: differences are of the seeds that both have; they are paired where runs of one seed also '
    'began with the same weights, and beside those that did not stands "unpaired". Their interval is that of the '
    'paired t test in either case.'
)
# Names of runs that a cell lists.
MOST = 3


def report_across(sides: Sequence[Side], created: datetime) -> tuple[Report, dict]:
    """Make the report, and what its JSON file holds."""
    shared, alone = together(sides), not_shared(sides)
    differing, compared, unknown = settings_that_differ(sides)
    sections = [section for each in shared for section in _of_config(each, sides)]
    sections += _not_shared(alone, sides)
    sections.append(_settings(sides))
    sections.append(Section('How to read the tables', notes=legend_of(sections)))
    for side in sides:
        for section in (*unfinished(side.suite, side.states), *origin(side.suite, side.states)):
            sections.append(replace(section, title=f'{section.title}: {side.label}'))
    summary = '; '.join(_finished(side) for side in sides)
    summary += f'; made on {created.isoformat(" ", timespec="seconds")}'
    title = ' and '.join(side.label for side in sides)
    content = dict(
        suites=[
            dict(label=s.label, name=s.suite.name, file=str(s.suite.path), folder=str(s.suite.folder))
            for s in sides
        ],
        created=created.isoformat(timespec='seconds'),
        verdict=VERDICT,
        comparisons=[asdict(each) for each in shared],
        not_shared=[dict(config=k, test=t, preset=p, suites=labels) for (k, t, p), labels in alone],
        settings=[asdict(setting) for setting in differing],
        runs_compared=compared,
        runs_without_settings=unknown,
    )
    return Report(title, summary, VERDICT, sections), content


def folder_across(sides: Sequence[Side]) -> Path:
    """Name the folder that such a report goes to: beside the first suite's, of the names of all."""
    return sides[0].suite.folder.parent / '-'.join(side.suite.folder.resolve().name for side in sides)


def _finished(side: Side) -> str:
    runs = [state for state in side.states if state.state not in ('undecided', 'not needed')]
    finished = sum(state.state == 'finished' for state in runs)
    return f'{side.label}: {finished} of {len(runs)} runs finished, in {side.suite.folder}'


def _of_config(each: Together, sides: Sequence[Side]) -> Iterator[Section]:
    """Make the table of scores of a config, and the one of costs."""
    first, *others = (side.label for side in sides)
    unit = ', %' if each.metric and each.metric.unit else ''
    name = each.metric.name if each.metric else 'score'
    header = ['preset', *(f'{name}, {side.label}{unit}' for side in sides)]
    for other in others:
        header += [f'{other} minus {first}', f'pairs of {other}' if len(others) > 1 else 'pairs']
    rows = [
        [
            word_cell(row.preset),
            *(score_cell(result) if result else NOTHING for result in row.results),
            *(cell for across in row.differences for cell in _cells(across)),
        ]
        for row in each.rows
    ]
    findings = [
        text
        for row in each.rows
        for number, across in enumerate(row.differences, 1)
        if across and (text := _finding(row, across, each, sides, number))
    ]
    yield Section(
        each.name,
        Table(header, rows),
        about=', '.join(each.configs),
        findings=findings,
        legend=[LEGEND, SCORES_LEGEND],
    )
    yield _cost(each, sides)


def _cells(across: Across | None) -> tuple[Cell, Cell]:
    """Write a difference and how it is paired."""
    if across is None:
        return NOTHING, NOTHING
    cell = difference_cell(across.difference)
    if across.of_means is not None:
        cell = Cell(signed(across.of_means), across.of_means, 'of the two means')
    return cell, word_cell(across.pairs, across.seeds)


def _finding(row: Row, across: Across, each: Together, sides: Sequence[Side], number: int) -> str:
    """Say how far a preset's score in one suite is from that in the first; what makes it doubtful comes first."""
    first, other = sides[0].label, sides[number].label
    words = [f'in {first} {caveat}' for caveat in known(row.results[0])]
    words += [f'in {other} {caveat}' for caveat in known(row.results[number])]
    if across.difference:
        said = difference_words(each.metric, across.difference, f'its score in {first}')
        said += '; one seed does not tell how much a result moves' if across.difference.n == 1 else ''
        said += f'; {across.pairs}' if across.pairs.startswith('unpaired') else ''
    elif across.of_means is not None:
        said = f'{signed(across.of_means)} from mean to mean; {across.pairs}'
    else:
        said = f'nothing to compare, {across.pairs}'
    caution = f'caution, {", and ".join(words)}; ' if words else ''
    return f'{row.preset} in {other}: {caution}{said}.'


def _cost(each: Together, sides: Sequence[Side]) -> Section:
    """Make the table of what the presets cost in each suite."""
    columns = {
        'parameters': lambda result: million_cell(result.parameters, 3),
        'M-Adds': lambda result: million_cell(result.madds, 1),
        'latency': latency_cell,
        'train time': time_cell,
    }
    header = ['preset', *(f'{name}, {side.label}' for name in columns for side in sides)]
    rows = [
        [
            word_cell(row.preset),
            *(cell(r) if r else NOTHING for cell in columns.values() for r in row.results),
        ]
        for row in each.rows
    ]
    notes = [
        f'{side.label}: {note}'
        for side in sides
        for c in side.comparisons.values()
        if c.name == each.name
        for note in c.times
    ]
    return Section('Cost', Table(header, rows), level=3, notes=notes)


def _not_shared(alone: Sequence, sides: Sequence[Side]) -> Iterator[Section]:
    """Make the table of what not all suites have."""
    rows = [
        [
            word_cell('/'.join(place)),
            word_cell(', '.join(labels)),
            word_cell(', '.join(side.label for side in sides if side.label not in labels)),
        ]
        for place, labels in alone
    ]
    if rows:
        yield Section('Not in all suites', Table(['config/test/preset', 'in', 'not in'], rows))


def _settings(sides: Sequence[Side]) -> Section:
    """Make the table of settings that differ between runs of equal name."""
    differing, compared, unknown = settings_that_differ(sides)
    notes = [f'Compared are the settings of {compared} runs of equal name, as they were when the runs began.']
    if not differing and compared:
        notes = [f'No setting differs between the {compared} runs of equal name.']
    if unknown:
        notes.append(f'The settings of {len(unknown)} runs are not on record: {_few(unknown)}.')
    rows = [
        [
            word_cell(setting.name),
            *map(word_cell, setting.values),
            word_cell(f'all {compared}' if len(setting.runs) == compared else _few(setting.runs)),
        ]
        for setting in differing
    ]
    header = ['setting', *(side.label for side in sides), 'runs']
    return Section('Settings that differ', Table(header, rows) if rows else None, notes=notes)


def _few(names: Sequence[str]) -> str:
    return ', '.join(names[:MOST]) + (f' and {len(names) - MOST} more' if len(names) > MOST else '')
