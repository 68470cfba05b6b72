"""What a suite's folder holds: the state of every run, how far it is, and its result."""

import re
import time
from dataclasses import dataclass

from attn_plugins.benchmark.record import RESULT, RUN, is_locked, read_json
from attn_plugins.benchmark.run import tail
from attn_plugins.benchmark.suite import Run, Suite

# In the order a run usually passes through them.
STATES = ('waiting', 'running', 'cut off', 'blocked', 'failed', 'finished')
EPOCH = re.compile(r'Epoch\(train\)\s*\[(\d+)\]\[\s*(\d+)/(\d+)\]')
ITERATION = re.compile(r'Iter\(train\)\s*\[\s*(\d+)/(\d+)\]')


@dataclass(frozen=True)
class Row:
    """A run and what is known of it.

    Attributes:
        run: The run.
        state: One of `STATES`; 'blocked' waits for a run that failed, 'cut off' goes on at the next call.
        result: Content of result.json (finished and failed runs).
        record: Content of run.json (started runs).
    """

    run: Run
    state: str
    result: dict | None
    record: dict | None

    @property
    def seconds(self) -> float | None:
        """Seconds a finished run trained and tested."""
        if self.state != 'finished':
            return None
        return self.result['train_seconds'] + self.result['test_seconds']


def read_results(suite: Suite) -> list[Row]:
    """One row per run of the suite, in the suite's order."""
    rows: dict[Run, Row] = {}
    for run in suite.runs:
        result, record = read_json(run.folder / RESULT), read_json(run.folder / RUN)
        rows[run] = Row(run, _state(run, result, record, rows), result, record)
    return list(rows.values())


def _state(run: Run, result: dict | None, record: dict | None, rows: dict[Run, Row]) -> str:
    if result:
        return result['state']
    if is_locked(run.folder):
        return 'running'
    if run.needs and rows[run.needs].state in ('failed', 'blocked'):
        return 'blocked'
    return 'waiting' if record is None else 'cut off'


@dataclass(frozen=True)
class Progress:
    """How far a running run is.

    Attributes:
        fraction: Part of its training that is done, 0 to 1.
        text: The same in words, e.g. 'epoch 3/8'.
        seconds: Seconds trained so far, all parts together.
    """

    fraction: float
    text: str
    seconds: float


def read_progress(run: Run) -> Progress:
    """How far a run is, from its record and the last lines of its log."""
    record = read_json(run.folder / RUN) or {}
    seconds = record.get('train_seconds', 0.0)
    if record.get('step') == 'test':
        return Progress(1.0, 'testing', seconds)
    for line in reversed(tail(run.folder / 'train.log', 200)):
        if line.startswith('$ '):  # where the present part begins
            break
        if match := EPOCH.search(line):
            epoch, step, steps = map(int, match.groups())
            total = record.get('max_epochs') or epoch
            return Progress((epoch - 1 + step / steps) / total, f'epoch {epoch}/{total}', seconds)
        if match := ITERATION.search(line):
            step, steps = map(int, match.groups())
            return Progress(step / steps, f'iteration {step}/{steps}', seconds)
    return Progress(0.0, 'starting', seconds)


def seconds_left(rows: list[Row], slots: int) -> float | None:
    """Estimated seconds until all runs that can finish have; None while nothing tells how long a run takes."""
    by_key: dict[str, list[float]] = {}
    for row in rows:
        if row.state == 'finished':
            by_key.setdefault(row.run.config_key, []).append(row.seconds)
    progress = {row.run: read_progress(row.run) for row in rows if row.state == 'running'}
    for run, now in progress.items():
        if run.config_key not in by_key and now.fraction > 0.02:
            by_key[run.config_key] = [now.seconds / now.fraction]
    if not by_key:
        return None
    means = {key: sum(times) / len(times) for key, times in by_key.items()}
    typical = sum(means.values()) / len(means)
    left = []
    for row in rows:
        if row.state in ('waiting', 'cut off', 'running'):
            done = progress[row.run].fraction if row.run in progress else 0.0
            left.append(means.get(row.run.config_key, typical) * (1 - done))
    return max([sum(left) / slots, *left], default=0.0)


def clock(seconds: float) -> str:
    """Seconds as a person says them: '45 s', '3 min 05 s', '3 h 20 min'."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes == 0:
        return f'{rest} s'
    hours, minutes = divmod(minutes, 60)
    return f'{hours} h {minutes:02d} min' if hours else f'{minutes} min {rest:02d} s'


def stamp() -> str:
    """The time of day, for lines on the screen."""
    return time.strftime('%H:%M:%S')
