"""The report of a suite: a table on the screen, report.md, report.json and one self-contained report.html."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from rich import box
from rich.console import Console
from rich.table import Table

from attn_plugins.benchmark.compare import Comparison, Line, Spread, compare, verdict
from attn_plugins.benchmark.metrics import headline
from attn_plugins.benchmark.plot import accuracy_cost_svg
from attn_plugins.benchmark.record import write_json
from attn_plugins.benchmark.results import Row, clock, read_progress
from attn_plugins.benchmark.suite import BASELINE, Suite

# What every number of a report is; stands below each table.
LEGEND = (
    'Scores marked % are percent points, whatever the library reports; they are of the last checkpoint, mean ± standard '
    'deviation over n seeds. The difference is paired: with a preset, minus without, same config and same seed. '
    'Parameters and multiply-adds (M-Adds) are counted (convolutions and matrix products, one image, no element-wise work); '
    'train time (median per run, with validation) and memory (peak of the largest process of a run) are measured on the '
    'machine named below, as busy as it was.'
)


@dataclass(frozen=True)
class Cell:
    """A table cell: what it shows, what it sorts by (None goes last), and a second, smaller line."""

    text: str
    order: float | str | None
    detail: str = ''


def write_report(suite: Suite, rows: list[Row]) -> dict[str, Path]:
    """Write report.json, report.md and report.html into the suite's folder; return their paths by suffix."""
    comparisons = compare(rows)
    content = dict(
        suite=suite.name,
        suite_file=str(suite.path),
        created=datetime.now().astimezone().isoformat(timespec='seconds'),
        verdict=verdict(comparisons),
        legend=LEGEND,
        comparisons=[asdict(c) for c in comparisons],
        runs=[_run_entry(row) for row in rows],
        made_with=made_with(rows),
    )
    paths = {suffix: suite.folder / f'report.{suffix}' for suffix in ('json', 'md', 'html')}
    suite.folder.mkdir(parents=True, exist_ok=True)
    write_json(paths['json'], content)
    templates = Environment(
        loader=PackageLoader('attn_plugins.benchmark'),
        undefined=StrictUndefined,
        autoescape=lambda name: name.endswith('.html.j2'),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    tables = [
        dict(comparison=c, header=header(c), lines=[cells(line) for line in c.lines]) for c in comparisons
    ]
    for suffix in ('md', 'html'):
        plots = {c.key: accuracy_cost_svg(c) for c in comparisons} if suffix == 'html' else {}
        text = templates.get_template(f'report.{suffix}.j2').render(content, tables=tables, plots=plots)
        paths[suffix].write_text(text)
    return paths


def _run_entry(row: Row) -> dict:
    """What report.json says of a run: its state and everything measured, the same units as its result.json."""
    known = {
        key: value for key, value in (row.result or {}).items() if key not in ('log_tail', 'name', 'state')
    }
    return dict(
        known,
        name=row.run.name,
        state=row.state,
        preset=row.run.preset,
        seed=row.run.seed,
        config_key=row.run.config_key,
        folder=str(row.run.folder),
    )


def made_with(rows: list[Row]) -> dict:
    """Machines, versions, commits and seeds behind the results: more than one entry means they were not the same."""
    results = [row.result for row in rows if row.state == 'finished']

    def different(key: str) -> list:
        texts = dict.fromkeys(json.dumps(result[key]) for result in results)
        return [json.loads(text) for text in texts]

    return dict(
        machines=different('machine'),
        versions=different('versions'),
        git_commits=different('git_commit'),
        threads=different('threads'),
        seeds=sorted({row.run.seed for row in rows}),
    )


def header(comparison: Comparison) -> list[str]:
    """Column names of a config's table."""
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


def cells(line: Line) -> list[Cell]:
    """A preset's row of its config's table."""
    return [
        Cell(line.preset, line.preset),
        score_cell(line),
        difference_cell(line.difference),
        Cell(_millions(line.parameters, 3), line.parameters),
        Cell(_millions(line.madds, 1), line.madds),
        Cell(clock(line.train_seconds) if line.train_seconds is not None else '–', line.train_seconds),
        Cell(f'{line.memory_mb:,.0f} MB' if line.memory_mb else '–', line.memory_mb),
    ]


def score_cell(line: Line) -> Cell:
    """Mean ± std (n) of the finished seeds, and the state of the others: what is missing is never left out."""
    by_state: dict[str, list[str]] = {}
    for seed, (state, _) in line.unfinished.items():
        by_state.setdefault(state, []).append(str(seed))
    missing = '; '.join(
        f'seed{"s" if len(seeds) > 1 else ""} {", ".join(seeds)} {state}' for state, seeds in by_state.items()
    )
    if line.score is None:
        return Cell(missing, None)
    std = f' ± {line.score.std:.2f}' if line.score.std is not None else ''
    return Cell(
        f'{line.score.mean:.2f}{std}',
        line.score.mean,
        f'n = {line.score.n}' + (f'; {missing}' if missing else ''),
    )


def difference_cell(difference: Spread | None) -> Cell:
    """A paired difference with its spread and interval; with one pair only the number and 'n = 1'."""
    if difference is None:
        return Cell('–', None)
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


def print_report(rows: list[Row], console: Console):
    """The report's tables on the screen."""
    comparisons = compare(rows)
    for comparison in comparisons:
        table = Table(
            title=f'{comparison.key} ({comparison.config})',
            title_justify='left',
            title_style='bold',
            box=box.SIMPLE_HEAD,
            padding=(0, 1, 0, 0),
        )
        for i, name in enumerate(header(comparison)):
            table.add_column(name, justify='left' if i == 0 else 'right')
        for line in comparison.lines:
            table.add_row(
                *('\n'.join(filter(None, (cell.text, cell.detail))) for cell in cells(line)),
                style='dim' if line.score is None else None,
            )
        console.print(table)
    for row in rows:
        if row.state == 'failed':
            console.print(f'failed: {row.run.name}: {row.result["error"]}', style='red', markup=False)
    console.print(verdict(comparisons), style='italic')


def print_status(rows: list[Row], console: Console):
    """The state of every run on the screen."""
    styles = {
        'finished': 'green',
        'running': 'cyan',
        'failed': 'red',
        'blocked': 'yellow',
        'cut off': 'yellow',
    }
    table = Table()
    for name in ('run', 'state', 'result'):
        table.add_column(name)
    for row in rows:
        detail = ''
        if row.state == 'finished':
            metric = headline(row.result['metrics'])
            detail = f'{metric.name} {metric.value:.2f}{metric.unit} in {clock(row.seconds)}'
        elif row.state in ('running', 'cut off'):
            detail = read_progress(row.run).text
        elif row.state == 'failed':
            detail = row.result['error']
        elif row.state == 'blocked':
            detail = f'needs {row.run.needs.name}'
        table.add_row(
            row.run.name, f'[{styles[row.state]}]{row.state}[/]' if row.state in styles else row.state, detail
        )
    console.print(table)
