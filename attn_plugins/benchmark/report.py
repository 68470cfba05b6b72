"""The report of a suite: a table on the screen, report.md, report.json and one self-contained report.html."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from attn_plugins.benchmark.compare import Comparison, Estimate, PresetResult, compare, verdict
from attn_plugins.benchmark.plot import accuracy_cost_svg, learning_curves_svg
from attn_plugins.benchmark.progress import scores
from attn_plugins.benchmark.record import write_json
from attn_plugins.benchmark.results import RunState, clock
from attn_plugins.benchmark.suite import Suite
from attn_plugins.benchmark.suite_presets import BASELINE

# What every number of a report is; stands below each table.
LEGEND = (
    'Scores marked % are percent points, whatever the library reports; they are of the last checkpoint, mean ± standard '
    'deviation over n seeds. The difference is paired: with a preset, minus without, same config and same seed. '
    'Parameters and multiply-adds (M-Adds) are counted (convolutions and matrix products, one image, no element-wise work); '
    'train time (median per run, with validation) and memory (the most that was held: on a GPU by torch, else by the '
    'process) are measured on the machine named below, as busy as it was.'
)


@dataclass(frozen=True)
class Cell:
    """A table cell: what it shows, what it sorts by (None goes last), and a second, smaller line."""

    text: str
    order: float | str | None
    detail: str = ''


def write_report(suite: Suite, states: list[RunState]) -> dict[str, Path]:
    """Write report.json, report.md and report.html into the suite's folder; return their paths by suffix."""
    comparisons = compare(states)
    content = dict(
        suite=suite.name,
        suite_file=str(suite.path),
        created=datetime.now().astimezone().isoformat(timespec='seconds'),
        verdict=verdict(comparisons),
        legend=LEGEND,
        comparisons=[asdict(c) for c in comparisons],
        runs=[_run_entry(state) for state in states],
        made_with=made_with(states),
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
        dict(comparison=c, header=header(c), rows=[cells(r) for r in c.presets], uncounted=uncounted(c))
        for c in comparisons
    ]
    plots = {c.name: [p for p in (accuracy_cost_svg(c), learning_curves_svg(c)) if p] for c in comparisons}
    for suffix in ('md', 'html'):
        text = templates.get_template(f'report.{suffix}.j2').render(content, tables=tables, plots=plots)
        paths[suffix].write_text(text)
    return paths


def _run_entry(state: RunState) -> dict:
    """What report.json says of a run: its state and everything measured, the same units as its result.json."""
    return dict(
        name=state.run.name,
        state=state.state,
        error=state.error,
        preset=state.run.preset_name,
        seed=state.run.seed,
        config_key=state.run.config_key,
        folder=str(state.run.folder),
        steps=state.steps,
        **state.made_with,
    )


def made_with(states: list[RunState]) -> dict:
    """Machines, versions, commits and seeds behind the results: more than one entry means they were not the same."""
    finished = [state.made_with for state in states if state.state == 'finished']

    def different(key: str) -> list:
        texts = dict.fromkeys(json.dumps(entry[key]) for entry in finished)
        return [json.loads(text) for text in texts]

    return dict(
        machines=different('machine'),
        versions=different('versions'),
        git_commits=different('git_commit'),
        processes=different('processes'),
        threads=different('threads'),
        seeds=sorted({state.run.seed for state in states}),
    )


def uncounted(comparison: Comparison) -> list[str]:
    """Why parameters and M-Adds of a config's presets are missing, each reason once."""
    reasons: dict[str, list[str]] = {}
    for result in comparison.presets:
        if result.why_not_counted:
            reasons.setdefault(result.why_not_counted, []).append(result.preset)
    return [f'not counted ({", ".join(presets)}): {reason}' for reason, presets in reasons.items()]


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


def cells(result: PresetResult) -> list[Cell]:
    """A preset's row of its config's table."""
    seconds, memory = result.train_seconds, result.memory_mb
    return [
        Cell(result.preset, result.preset),
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


def print_report(states: list[RunState], console: Console) -> None:
    """The report's tables on the screen."""
    comparisons = compare(states)
    for comparison in comparisons:
        table = Table(
            title=f'{comparison.name} ({comparison.config})',
            title_justify='left',
            title_style='bold',
            box=box.SIMPLE_HEAD,
            padding=(0, 1, 0, 0),
        )
        for i, name in enumerate(header(comparison)):
            table.add_column(name, justify='left' if i == 0 else 'right')
        for result in comparison.presets:
            table.add_row(
                *('\n'.join(filter(None, (cell.text, cell.detail))) for cell in cells(result)),
                style='dim' if result.score is None else None,
            )
        console.print(table)
        for reason in uncounted(comparison):
            console.print(reason, style='dim', markup=False)
    for state in states:
        if state.state == 'failed':
            console.print(f'failed: {state.run.name}: {state.error}', style='red', markup=False)
    console.print(verdict(comparisons), style='italic')


def print_status(states: list[RunState], console: Console) -> None:
    """The state of every run on the screen."""
    styles = {
        'finished': 'green',
        'running': 'cyan',
        'failed': 'red',
        'blocked': 'yellow',
        'cut off': 'yellow',
        'outdated': 'yellow',
    }
    table = Table()
    for name in ('run', 'state', 'result'):
        table.add_column(name)
    for state in states:
        detail = ''
        if state.state == 'finished':
            detail = f'{scores(state)} in {clock(state.seconds)}'
        elif state.state in ('running', 'cut off'):
            detail = state.progress['text']
        elif state.state == 'failed':
            detail = state.error
        elif state.state == 'blocked':
            detail = f'needs {", ".join(run.name for run in state.run.needs)}'
        elif state.state == 'outdated':
            detail = 'trained with other settings: `run` says which'
        word = f'[{styles[state.state]}]{state.state}[/]' if state.state in styles else state.state
        table.add_row(state.run.name, word, Text(detail))
    console.print(table)
