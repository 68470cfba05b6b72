"""Train and test a suite of configs with and without attention, over seeds, and compare what came of it."""

import argparse
import sys
from typing import TYPE_CHECKING

from mmengine.logging import MMLogger

from attn_plugins.cli.arguments import folder, positive
from attn_plugins.cli.called import command_line
from attn_plugins.cli.errors import friendly_errors
from attn_plugins.cli.next_steps import next_steps

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from attn_plugins.benchmark.results import RunState
    from attn_plugins.benchmark.suite import Suite


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog='examples:\n'
        '  python tools/benchmark.py run configs/suites/demo.yml      train, test, report; may be stopped at any '
        'moment, the same command goes on\n'
        '  python tools/benchmark.py plan configs/suites/demo.yml     what it would train, and what its seeds show\n'
        '  python tools/benchmark.py status configs/suites/demo.yml   from another terminal, while it runs\n'
        '  python tools/benchmark.py report configs/suites/demo.yml   the report of what is finished so far\n'
        '  python tools/benchmark.py report before.yml after.yml      two suites side by side',
    )
    commands = parser.add_subparsers(dest='command', required=True, metavar='run|plan|status|report')
    for name, text in (
        ('run', 'carry out all runs that are not finished, then write the report'),
        (
            'plan',
            'show what run would do, and the least difference that its seeds can show; nothing is started',
        ),
        ('status', 'show how each run stands'),
        (
            'report',
            'write report.md, .html, .csv, .tex and .json of what is finished and show the tables; of several suites '
            'one report, in which they stand side by side',
        ),
    ):
        command = commands.add_parser(name, help=text, description=text)
        several = dict(nargs='+', metavar='suite') if name == 'report' else {}
        command.add_argument(
            'suite', help='YAML file of the suite, or the name of one of ours: demo', **several
        )
        command.add_argument(
            '--work-dir',
            action='append' if several else 'store',
            help="folder of the suite's runs (default: work_dirs/<name of the suite>)"
            + ('; of several suites once for each, in their order' if several else ''),
        )
        command.add_argument('--debug', action='store_true', help='show the traceback of an error')
    commands.choices['status'].add_argument(
        '--watch',
        nargs='?',
        type=positive,
        const=10,
        metavar='SECONDS',
        help='show it anew every so many seconds (10 if none are given) until no run is left; Ctrl-C ends it',
    )
    commands.choices['report'].add_argument(
        '--out',
        type=folder,
        metavar='FOLDER',
        help="where the files go (default: the suite's folder; of several a folder of all their names beside it)",
    )
    run = commands.choices['run']
    run.add_argument(
        '--jobs',
        type=positive,
        help='runs at the same time (default: one per GPU; without a GPU one per '
        'CPU core, as far as memory allows)',
    )
    run.add_argument(
        '--redo',
        action='store_true',
        help='train anew the runs whose config has changed since, deleting their old results',
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Carry out the command; return 1 when a run has failed."""
    args = parse_args(argv)
    _hush_configs()
    with friendly_errors(args.debug, lambda: 'run the same command again: it goes on where it was cut off'):
        from rich.console import Console

        from attn_plugins.benchmark.plan import plan_suite
        from attn_plugins.benchmark.progress import watch
        from attn_plugins.benchmark.results import read_results
        from attn_plugins.benchmark.suite import read_suite

        console = Console()
        if args.command == 'report':
            report_suites(args, console)
            return 0
        suite = read_suite(args.suite, args.work_dir)
        if args.command == 'run':
            return run(suite, args, command_line(sys.argv[1:] if argv is None else argv), console)
        # Without an executor, which asks torch for GPUs: a run that has begun keeps the processes it began with.
        plans = plan_suite(suite, devices=1)
        if args.command == 'plan':
            plan(suite, console)
        else:
            watch(lambda: read_results(suite, plans), console, args.watch)
        return 0


def _hush_configs() -> None:
    """Silence mmengine's notes on ATTENTION, one per run.

    Its logger asks torch for this process's rank and device, and does without where they cannot be imported: a suite's
    own process has none, and `status` is to answer at once.
    """
    absent = [name for name in ('torch', 'mmengine.dist') if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # None: not to be imported
    MMLogger.get_current_instance().setLevel('WARNING')
    for name in absent:
        del sys.modules[name]


def run(suite: 'Suite', args: argparse.Namespace, command: str, console: 'Console') -> int:
    """Carry out a suite, report it and name what comes next; return 1 when a run has failed."""
    from attn_plugins.benchmark.executors import LocalExecutor
    from attn_plugins.benchmark.plan import plan_suite
    from attn_plugins.benchmark.progress import view_of
    from attn_plugins.benchmark.results import OVER
    from attn_plugins.benchmark.scheduler import run_suite

    executor = LocalExecutor(args.jobs)
    plans = plan_suite(suite, executor.devices)
    _say_beforehand(suite, plans, console)
    with view_of(suite, executor.parallel, console) as view:
        states = run_suite(suite, plans, executor, view, args.redo, command)
    report(suite, states, console)
    is_over = all(state.state in (*OVER, 'not needed') for state in states)
    if is_over:
        _say_afterwards(next_steps(suite, states, args.suite, args.work_dir), console)
    return int(not is_over)


def plan(suite: 'Suite', console: 'Console') -> None:
    """Say what `run` would do here."""
    from attn_plugins.benchmark.executors import LocalExecutor
    from attn_plugins.benchmark.plan import plan_suite
    from attn_plugins.benchmark.progress import summary
    from attn_plugins.benchmark.results import read_results

    executor = LocalExecutor()
    plans = plan_suite(suite, executor.devices)
    trials = sum(run.trial is not None for run in suite.runs)
    more = f', {trials} of them trials by which values are tuned' if trials else ''
    console.print(
        f'{len(suite.runs)} runs{more}: {summary(read_results(suite, plans), executor.parallel)}',
        soft_wrap=True,
        markup=False,
    )
    _say_beforehand(suite, plans, console)


def _say_beforehand(suite: 'Suite', plans: dict, console: 'Console') -> None:
    """Say how batches and learning rates differ from the configs, and what the seeds can show."""
    from attn_plugins.benchmark.plan import notes
    from attn_plugins.benchmark.report.compare import compare
    from attn_plugins.benchmark.report.summary import outlook
    from attn_plugins.benchmark.results import read_results

    for note in notes(plans.values()) + outlook(suite, compare(suite, read_results(suite, plans))):
        console.print(note, soft_wrap=True, markup=False)


def _say_afterwards(commands: dict[str, str], console: 'Console') -> None:
    """Print what comes next, a command to a line of its own, so that it can be copied."""
    console.print('\nWhat comes next:', markup=False)
    for what, command in commands.items():
        console.print(f'  # {what}\n  {command}', soft_wrap=True, markup=False, highlight=False)


def report_suites(args: argparse.Namespace, console: 'Console') -> None:
    """Report a suite, or several side by side."""
    from attn_plugins.benchmark.plan import plan_suite
    from attn_plugins.benchmark.results import read_results
    from attn_plugins.benchmark.suite import read_suite
    from attn_plugins.errors import UserError

    work_dirs = args.work_dir or [None] * len(args.suite)
    if len(work_dirs) != len(args.suite):
        raise UserError(
            f'--work-dir stands there {len(work_dirs)} times and there are {len(args.suite)} suites: give it once for '
            'each suite, in their order, or not at all'
        )
    suites = [read_suite(*words) for words in zip(args.suite, work_dirs, strict=True)]
    if len(suites) == 1:
        [suite] = suites
        report(suite, read_results(suite, plan_suite(suite, devices=1)), console, args.out)
        return
    from attn_plugins.benchmark.report.side_by_side import sides_of
    from attn_plugins.benchmark.report.write import write_across

    # As they are, whatever the suites' files say now: the settings that each run had are compared by its own record.
    sides = sides_of([(suite, read_results(suite)) for suite in suites])
    console.print(*write_across(sides, console, args.out).values(), sep='\n', soft_wrap=True)


def report(suite: 'Suite', states: 'list[RunState]', console: 'Console', out: 'Path | None' = None) -> None:
    """Show the tables and write the report's files."""
    from attn_plugins.benchmark.report.write import print_report, write_report

    print_report(suite, states, console)
    console.print(*write_report(suite, states, out).values(), sep='\n', soft_wrap=True)


if __name__ == '__main__':
    sys.exit(main())
