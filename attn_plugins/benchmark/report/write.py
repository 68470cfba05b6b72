"""The report of a suite: a table on the screen, report.md, report.json and one self-contained report.html."""

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from attn_plugins.benchmark.report.compare import Comparison, compare
from attn_plugins.benchmark.report.plot import accuracy_cost_svg, learning_curves_svg
from attn_plugins.benchmark.report.tables import ReportTable, tables_of
from attn_plugins.benchmark.report.verdict import verdict
from attn_plugins.benchmark.results import RunState
from attn_plugins.benchmark.suite import Suite
from attn_plugins.files import write_json, write_text

# What every number of a report is; stands below all tables.
LEGEND = (
    'Scores marked % are percent points, whatever the library reports; they are of the last checkpoint in the test, mean ± '
    'standard deviation over n seeds. '
    'Parameters and multiply-adds (M-Adds) are counted (convolutions and matrix products, one image, no element-wise work); '
    'train time (median per run, with validation) and memory (the most that was held: on a GPU by torch, else by the '
    'process) are measured on the machine named below, as busy as it was.'
)
BEST_LEGEND = (
    'Best validation: the highest score among the validations of each training, which may be of an earlier checkpoint. It is '
    'on the validation data and chosen by them, so it is no score of a test.'
)
DIFFERENCES_LEGEND = (
    'Differences are paired: scores of the same config, test and seed. p (t): paired t test. p (sign flips): the share of sign '
    'flips whose mean is as far from zero. p (Holm): of the t test over all comparisons of the suite together, in which the '
    'smallest distance between two scores counts as a further error. A verdict needs five seeds: better or worse where '
    'p (Holm) is below 0.05; equal within a margin, which the suite must declare, where two one-sided t tests are, after Holm. '
    'So of suites whose presets are all equal, at most one in twenty calls any better or worse. Correlation: of the scores with the '
    'same seed; pairing gains nothing where it is near zero. Least to show: the smallest true difference that as many seeds '
    'with that spread show in four of five suites.'
)
CONTROLS_LEGEND = 'A gain that a control has too does not come from what the control lacks.'


def write_report(suite: Suite, states: list[RunState]) -> dict[str, Path]:
    """Write report.json, report.md and report.html into the suite's folder; return their paths by suffix."""
    comparisons = compare(suite, states)
    content = dict(
        suite=suite.name,
        suite_file=str(suite.path),
        created=datetime.now().astimezone().isoformat(timespec='seconds'),
        verdict=verdict(comparisons),
        legend=_legend(comparisons),
        comparisons=[asdict(c) for c in comparisons],
        runs=[_run_entry(state) for state in states if state.state not in ('undecided', 'not needed')],
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
    sections = [dict(comparison=c, tables=tables_of(c), plots=_plots(c)) for c in comparisons]
    for suffix in ('md', 'html'):
        text = templates.get_template(f'report.{suffix}.j2').render(content, sections=sections)
        write_text(paths[suffix], text)
    return paths


def _legend(comparisons: list[Comparison]) -> list[str]:
    """The paragraphs that say what the numbers of these tables are."""
    shown = {
        LEGEND: True,
        BEST_LEGEND: any(result.best for c in comparisons for result in c.presets),
        DIFFERENCES_LEGEND: any(c.pairs for c in comparisons),
        CONTROLS_LEGEND: any(c.controls for c in comparisons),
    }
    return [paragraph for paragraph, is_shown in shown.items() if is_shown]


def _plots(comparison: Comparison) -> list[str]:
    return [plot for plot in (accuracy_cost_svg(comparison), learning_curves_svg(comparison)) if plot]


def _run_entry(state: RunState) -> dict:
    """What report.json says of a run: its state and everything measured, the same units as its result.json."""
    return dict(
        name=state.run.name,
        state=state.state,
        error=state.error,
        preset=state.run.preset_name,
        seed=state.run.seed,
        config_key=state.run.config_key,
        trial=state.run.trial,
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


def print_report(suite: Suite, states: list[RunState], console: Console) -> None:
    """The report's tables on the screen."""
    comparisons = compare(suite, states)
    for comparison in comparisons:
        for i, table in enumerate(tables_of(comparison)):
            _print_table(table, '' if i else f' ({comparison.config})', console)
            for note in table.notes:
                console.print(note, style='dim', markup=False)
    for state in states:
        if state.state == 'failed':
            console.print(f'failed: {state.run.name}: {state.error}', style='red', markup=False)
    console.print(verdict(comparisons), style='italic')


def _print_table(table: ReportTable, more_title: str, console: Console) -> None:
    """A table of the report on the screen; a row whose first number is missing is dimmed."""
    shown = Table(
        title=Text(table.title + more_title),
        title_justify='left',
        title_style='bold',
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for name, is_text in zip(table.header, table.is_text, strict=True):
        shown.add_column(Text(name), justify='left' if is_text else 'right')
    for row in table.rows:
        shown.add_row(
            *(Text('\n'.join(filter(None, (cell.text, cell.detail)))) for cell in row),
            style='dim' if row[1].order is None else None,
        )
    console.print(shown)
