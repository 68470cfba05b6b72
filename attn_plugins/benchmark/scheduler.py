"""Starts each run of a suite when those it needs have finished and there is room, until none is left."""

import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attn_plugins.benchmark import latency
from attn_plugins.benchmark.commands import note_command
from attn_plugins.benchmark.executors import Executor
from attn_plugins.benchmark.plan import (
    Plan,
    check_all_data,
    plan_run,
    settle_changes,
    write_inputs,
    write_steps,
)
from attn_plugins.benchmark.results import OVER, RunState, read_results
from attn_plugins.benchmark.run_folder import FAILURE, LOG, PROGRESS, RESULT, Locked, folder_lock
from attn_plugins.benchmark.suite import Run, Suite
from attn_plugins.errors import UserError
from attn_plugins.files import read_json, write_json

# Seconds between two looks at the running processes.
PAUSE = 0.3


def run_suite(
    suite: Suite, plans: dict[Run, Plan], executor: Executor, view, redo: bool = False, command: str = ''
) -> list[RunState]:
    """Carry out what is not finished yet, then measure latencies; a run that fails is recorded and the others go on.

    Runs that failed or were cut off in an earlier call are taken up again from their last checkpoint.

    Args:
        suite: The suite.
        plans: Its runs, resolved; those that are tuned are resolved anew, with their best values.
        executor: Where to run.
        view: Told of every event: `started(run)`, `ended(state)`, `look(states)` and more, see progress.py.
        redo: Train anew what was trained with other settings.
        command: The command that this is, for the report.

    Returns:
        list[RunState]: The state of each run.

    Raises:
        UserError: Another process works in the suite's folder, or results of other settings lie there, or data are
            missing.
    """
    with _alone_in(suite), _terminated_as_interrupted() as codes:
        settle_changes(plans, redo)
        states = read_results(suite)
        waiting = [state.run for state in states if state.state not in OVER]
        for run in waiting:
            if executor.most and plans[run].processes > executor.most:
                raise UserError(
                    f'{run.name} needs {plans[run].processes} processes with a GPU each, and {executor.most} are '
                    f'visible: go on where there are as many, or delete {run.folder} and set processes in the suite'
                )
        check_all_data([plans[run] for run in waiting])
        if command:
            note_command(suite.folder, command)
        for run in waiting:  # what failed before is tried again, so it blocks nobody now
            (run.folder / FAILURE).unlink(missing_ok=True)
            if (read_json(run.folder / RESULT) or {}).get('state') == 'failed':
                (run.folder / RESULT).unlink()
        waiting += [state.run for state in states if state.lacks_extras]
        try:
            while waiting or executor.running:
                _note_ended(suite, executor, view)
                waiting = _start_ready(suite, plans, waiting, executor, view, redo)
                view.look(read_results(suite, running=executor.running))
                if codes:
                    raise SystemExit(codes[0])
                time.sleep(PAUSE)
            _measure_latency(suite, executor, view, codes)
        finally:
            executor.stop()
    return read_results(suite)


def _note_ended(suite: Suite, executor: Executor, view) -> None:
    for run, code in executor.ended():
        if (read_json(run.folder / RESULT) or {}).get('state') not in (*OVER, 'failed'):
            # The run's process itself died, by the kernel's hand or by an error before the run began.
            _fail(run, f"the run's process left no result: {_why(run.folder, code)}")
        view.ended(_state_of(run, suite))


def _why(folder: Path, code: int) -> str:
    """Say why a process left no result."""
    if code < 0:
        killed = ' (out of memory?)' if -code == signal.SIGKILL else ''
        return f'ended by {signal.Signals(-code).name}{killed}'
    return (_tail(folder / LOG) or [f'exited with {code}'])[-1]


def _measure_latency(suite: Suite, executor: Executor, view, codes: list[int]) -> None:
    """Measure the models' latencies, as far as that is not done, while nothing else of the suite runs."""
    work = latency.prepare(suite, executor.threads)
    if work is None:
        return
    executor.start(work, processes=1)
    ended = []
    while not ended:
        ended = executor.ended()
        view.measuring(read_json(work.folder / PROGRESS) or latency.STARTING)
        if codes:
            raise SystemExit(codes[0])
        time.sleep(PAUSE)
    result, [(_, code)] = read_json(work.folder / RESULT) or {}, ended
    if result.get('state') != 'finished':
        view.measured_nothing(result.get('error') or _why(work.folder, code))


def _state_of(run: Run, suite: Suite) -> RunState:
    return next(state for state in read_results(suite) if state.run == run)


def _fail(run: Run, error: str) -> None:
    run.folder.mkdir(parents=True, exist_ok=True)
    write_json(run.folder / FAILURE, dict(error=error))


def _tail(log: Path) -> list[str]:
    """Read the last lines of a log that say something."""
    lines = log.read_text(errors='replace').splitlines()[-20:] if log.is_file() else []
    return [line.strip() for line in lines if line.strip()]


def _start_ready(
    suite: Suite, plans: dict[Run, Plan], waiting: list[Run], executor: Executor, view, redo: bool
) -> list[Run]:
    """Start what can start; return what still has to wait."""
    states = {state.run: state for state in read_results(suite, running=executor.running)}
    left = []
    for run in waiting:
        plan = plans[run]
        if states[run].lacks_extras:
            if executor.has_room(1):
                write_steps(run)
                executor.start(run, 1)
                view.started(run)
            else:
                left.append(run)
            continue
        if states[run].state == 'not needed':
            continue
        if states[run].state == 'blocked':
            view.ended(states[run])
        elif (
            states[run].state != 'undecided'
            and executor.has_room(plan.processes)
            and all(states[r].state in OVER for r in run.needs)
        ):
            try:
                if plan.is_open:  # the best values are known now
                    plan = plans[run] = plan_run(run, plans, executor.devices)
                    if _is_settled(plan, suite, view, redo):
                        continue
                write_inputs(plan, suite, executor.parallel)
            except UserError as error:  # of this run alone
                _fail(run, str(error))
                view.ended(_state_of(run, suite))
                continue
            executor.start(run, plan.processes)
            view.started(run)
        else:
            left.append(run)
    return left


def _is_settled(plan: Plan, suite: Suite, view, redo: bool) -> bool:
    """Tell whether nothing is to be trained now that the best values are known, or only with `redo`."""
    if plan.is_outdated and redo:
        shutil.rmtree(plan.run.folder)
    state = next(state for state in read_results(suite, {plan.run: plan}) if state.run == plan.run)
    if state.state == 'outdated':
        view.ended(state)
    return state.state in (*OVER, 'outdated')


@contextmanager
def _alone_in(suite: Suite) -> Iterator[None]:
    try:
        with folder_lock(suite.folder):
            yield
    except Locked as error:
        raise UserError(
            f'another benchmark (process {error.pid}) is at work in {suite.folder}: wait for it, stop it '
            f'with `kill {error.pid}`, or choose another --work-dir'
        ) from error


@contextmanager
def _terminated_as_interrupted() -> Iterator[list[int]]:
    """Let `kill -TERM` end the suite as Ctrl-C does, so that what runs is stopped.

    Yields the exit codes of signals that came, to be looked at: Python drops what a handler raises while a process is
    about to start.
    """
    codes: list[int] = []

    def note(signum, frame):
        codes.append(128 + signum)

    before = signal.signal(signal.SIGTERM, note)
    try:
        yield codes
    finally:
        signal.signal(signal.SIGTERM, before)
