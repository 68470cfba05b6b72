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

from attn_plugins.benchmark.compare import Comparison, compare
from attn_plugins.benchmark.plot import accuracy_cost_svg, learning_curves_svg
from attn_plugins.benchmark.record import write_json
from attn_plugins.benchmark.results import RunState
from attn_plugins.benchmark.suite import Suite
from attn_plugins.benchmark.suite_presets import BASELINE
from attn_plugins.benchmark.tables import ReportTable, control_tables, preset_table
from attn_plugins.benchmark.verdict import verdict

# What every number of a report is; stands below all tables.
LEGEND = (
    'Scores marked % are percent points, whatever the library reports; they are of the last checkpoint, mean ± standard '
    f'deviation over n seeds. The difference is paired: a preset minus {BASELINE}, same config and same seed. '
    'Parameters and multiply-adds (M-Adds) are counted (convolutions and matrix products, one image, no element-wise work); '
    'train time (median per run, with validation) and memory (the most that was held: on a GPU by torch, else by the '
    'process) are measured on the machine named below, as busy as it was.'
)
# Stands below the tables of controls.
CONTROLS_LEGEND = (
    'Differences are paired by seed. A gain that a control has too does not come from what the control lacks. Least that '
    'could show: half the width of the 95 % interval; a difference below it could not have been told from zero. Where '
    'nothing differs, one comparison in twenty still leaves out zero.'
)


def write_report(suite: Suite, states: list[RunState]) -> dict[str, Path]:
    """Write report.json, report.md and report.html into the suite's folder; return their paths by suffix."""
    comparisons = compare(suite, states)
    content = dict(
        suite=suite.name,
        suite_file=str(suite.path),
        created=datetime.now().astimezone().isoformat(timespec='seconds'),
        verdict=verdict(comparisons),
        legend=LEGEND,
        controls_legend=CONTROLS_LEGEND,
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
        dict(comparison=c, presets=preset_table(c), uncounted=uncounted(c), controls=control_tables(c))
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


def print_report(suite: Suite, states: list[RunState], console: Console) -> None:
    """The report's tables on the screen."""
    comparisons = compare(suite, states)
    for comparison in comparisons:
        _print_table(preset_table(comparison), f' ({comparison.config})', console)
        for reason in uncounted(comparison):
            console.print(reason, style='dim', markup=False)
        for table in control_tables(comparison):
            _print_table(table, '', console)
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
    for i, name in enumerate(table.header):
        shown.add_column(Text(name), justify='left' if i == 0 else 'right')
    for row in table.rows:
        shown.add_row(
            *(Text('\n'.join(filter(None, (cell.text, cell.detail)))) for cell in row),
            style='dim' if row[1].order is None else None,
        )
    console.print(shown)
