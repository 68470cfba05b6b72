"""The schedule of a suite: starts each run when those it needs have finished and a slot is free, until none is left."""

import signal
import time
from contextlib import contextmanager
from dataclasses import replace

from attn_plugins.benchmark.engine import Engine
from attn_plugins.benchmark.plan import Plan, check_data, settle_changes, write_inputs
from attn_plugins.benchmark.record import RESULT, Locked, folder_lock, read_json, write_json
from attn_plugins.benchmark.results import Row, read_results
from attn_plugins.benchmark.run import tail
from attn_plugins.benchmark.suite import Run, Suite
from attn_plugins.errors import UserError

# Seconds between two looks at the running processes.
PAUSE = 0.3


def work_off(suite: Suite, plans: dict[Run, Plan], engine: Engine, view, redo: bool = False) -> list[Row]:
    """Carry out what is not finished yet; a run that fails is recorded and the others go on.

    Runs that failed or were cut off in an earlier call are taken up again from their last checkpoint.

    Args:
        suite: The suite.
        plans: Its runs, resolved.
        engine: Where to run.
        view: Told of every event: `started(run)`, `ended(row)` and `look(rows)`, see progress.py.
        redo: Train anew what was trained with another config.

    Returns:
        list[Row]: What came of it, one per run.

    Raises:
        UserError: Another process works in the suite's folder, or results of another config lie there, or data
            are missing.
    """
    with _alone_in(suite), _terminated_as_interrupted():
        settle_changes(plans, redo)
        todo = [row.run for row in read_results(suite) if row.state != 'finished']
        check_data([plans[run] for run in todo])
        for run in todo:  # what failed before is tried again, so it blocks nobody now
            (run.folder / RESULT).unlink(missing_ok=True)
        try:
            while todo or engine.running:
                _note_ended(suite, engine, view)
                todo = _start_ready(suite, plans, todo, engine, view)
                view.look(_rows_now(suite, engine))
                time.sleep(PAUSE)
        finally:
            engine.stop()
    return read_results(suite)


def _rows_now(suite: Suite, engine: Engine) -> list[Row]:
    """All rows; a run whose process is still loading its libraries has not locked its folder yet, but does run."""
    running = engine.running
    return [replace(row, state='running') if row.run in running else row for row in read_results(suite)]


def _note_ended(suite: Suite, engine: Engine, view):
    for run, code in engine.ended():
        if read_json(run.folder / RESULT) is None:
            # The run's process itself died, by the kernel's hand or by an error before the run began.
            lines = tail(run.folder / 'run.log')
            why = (
                f'ended by {signal.Signals(-code).name}'
                if code < 0
                else (lines or [f'exited with {code}'])[-1]
            )
            write_json(
                run.folder / RESULT,
                dict(
                    state='failed',
                    error=f"the run's process left no result: {why}",
                    name=run.name,
                    log_tail=lines,
                ),
            )
        view.ended(next(row for row in read_results(suite) if row.run == run))


def _start_ready(suite: Suite, plans: dict[Run, Plan], todo: list[Run], engine: Engine, view) -> list[Run]:
    """Start what can start; return what still has to wait."""
    rows = {row.run: row for row in read_results(suite)}
    left = []
    for run in todo:
        if rows[run].state == 'blocked':
            view.ended(rows[run])
        elif len(engine.running) < engine.slots and (not run.needs or rows[run.needs].state == 'finished'):
            write_inputs(plans[run], suite)
            engine.start(run)
            view.started(run)
        else:
            left.append(run)
    return left


@contextmanager
def _alone_in(suite: Suite):
    try:
        with folder_lock(suite.folder):
            yield
    except Locked as error:
        raise UserError(
            f'another benchmark (process {error.pid}) is at work in {suite.folder}: wait for it, stop it '
            f'with `kill {error.pid}`, or choose another --work-dir'
        ) from error


@contextmanager
def _terminated_as_interrupted():
    """Let `kill -TERM` unwind the stack as Ctrl-C does, so that what runs is stopped."""

    def leave(signum, frame):
        raise SystemExit(128 + signum)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
