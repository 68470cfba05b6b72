"""Makes the report of a suite, shows it, and writes report.json, .md, .html, .csv and .tex."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from rich.console import Console

from attn_plugins.benchmark.commands import COMMANDS, read_commands
from attn_plugins.benchmark.report.across import folder_across, report_across
from attn_plugins.benchmark.report.compare import Comparison, compare
from attn_plugins.benchmark.report.section import Report
from attn_plugins.benchmark.report.sections import legend_of, made_with, reported, sections_of
from attn_plugins.benchmark.report.side_by_side import Side
from attn_plugins.benchmark.report.summary import verdict
from attn_plugins.benchmark.report.writers import WRITERS, show
from attn_plugins.benchmark.results import RunState
from attn_plugins.benchmark.suite import Suite
from attn_plugins.errors import UserError
from attn_plugins.files import write_json, write_text


def write_report(suite: Suite, states: Sequence[RunState], out: Path | None = None) -> dict[str, Path]:
    """Write the report's files into a folder, by default the suite's; return their paths by suffix."""
    comparisons, created = compare(suite, states), datetime.now().astimezone()
    report = report_of(suite, states, comparisons, created)
    content = dict(
        suite=suite.name,
        suite_file=str(suite.path),
        created=created.isoformat(timespec='seconds'),
        verdict=report.verdict,
        legend=legend_of(report.sections),
        comparisons=[_comparison_entry(comparison) for comparison in comparisons],
        runs=[_run_entry(state) for state in reported(states)],
        made_with=dict(made_with(states), commands=read_commands(suite.folder)),
    )
    return _write(report, content, out or suite.folder, suite.folder)


def write_across(sides: Sequence[Side], console: Console, out: Path | None = None) -> dict[str, Path]:
    """Show the report of suites side by side and write its files, by default beside the first suite's folder."""
    report, content = report_across(sides, datetime.now().astimezone())
    show(report, console)
    return _write(report, content, out or folder_across(sides))


def _write(report: Report, content: dict, folder: Path, own: Path | None = None) -> dict[str, Path]:
    """Write a report in every form.

    Raises:
        UserError: The folder is that of another suite, whose report would be lost.
    """
    if (folder / COMMANDS).is_file() and (own is None or folder.resolve() != own.resolve()):
        raise UserError(
            f'{folder} is the folder of a suite, whose own report lies there: name another by --out'
        )
    paths = {suffix: folder / f'report.{suffix}' for suffix in ('json', *WRITERS)}
    folder.mkdir(parents=True, exist_ok=True)
    write_json(paths['json'], content)
    for suffix, write in WRITERS.items():
        write_text(paths[suffix], write(report))
    return paths


def print_report(suite: Suite, states: Sequence[RunState], console: Console) -> None:
    """Show the report on a screen."""
    show(report_of(suite, states, compare(suite, states), datetime.now().astimezone()), console)


def report_of(
    suite: Suite, states: Sequence[RunState], comparisons: Sequence[Comparison], created: datetime
) -> Report:
    """Make the report: its head and all its sections."""
    runs = reported(states)
    finished = sum(state.state == 'finished' for state in runs)
    summary = f'{finished} of {len(runs)} runs finished; made on {created.isoformat(" ", timespec="seconds")}'
    sections = sections_of(suite, states, comparisons)
    return Report(suite.name, summary, verdict(comparisons), sections, suite.about)


def _comparison_entry(comparison: Comparison) -> dict:
    """Give what report.json says of a comparison; there `twin`, an older word, says what a variant is."""
    entry = asdict(comparison)
    for preset in entry['presets']:
        preset['twin'] = preset.pop('variant')
    return entry


def _run_entry(state: RunState) -> dict:
    """Give what report.json says of a run: its state and everything measured, in the units of its result.json."""
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
