"""Shows a suite at work: a live display on a terminal, plain lines elsewhere."""

import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from attn_plugins.benchmark.metrics import headline
from attn_plugins.benchmark.results import ENDED, RunState, clock, seconds_left
from attn_plugins.benchmark.suite import Run, Suite

# Seconds between two lines about the state when there is no terminal, and between two drawings when there is one.
PLAIN_EVERY = 30.0
DRAW_EVERY = 0.5
# Seconds between two lines about the measuring of latencies, which takes seconds.
MEASURING_EVERY = 3.0


class PlainView:
    """One line per event and one about the whole every 30 s: for log files and pipes."""

    every = PLAIN_EVERY

    def __init__(self, suite: Suite, parallel: int, console: Console):
        self.suite, self.parallel, self.console = suite, parallel, console
        self._next_look = self._next_measured = 0.0
        self._measured = ''

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    def started(self, run: Run) -> None:
        """Say that a run has started, or goes on."""
        self._say(f'started {run.name}')

    def ended(self, state: RunState) -> None:
        """Say that a run has finished or failed, or cannot start because another failed."""
        self._say(ending(state))

    def look(self, states: list[RunState]) -> None:
        """Show how all runs stand if it is time to; called several times a second."""
        if time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + self.every
            self.show(states)

    def measuring(self, progress: dict) -> None:
        """Show how far the measuring of latencies is; called several times a second."""
        if time.monotonic() >= self._next_measured and progress['text'] != self._measured:
            self._next_measured, self._measured = time.monotonic() + MEASURING_EVERY, progress['text']
            self._say(progress['text'])

    def measured_nothing(self, why: str) -> None:
        """Say that the measuring of latencies broke off."""
        self._say(f'latency could not be measured: {why}')

    def show(self, states: list[RunState]) -> None:
        """Show how all runs stand."""
        running = [
            f'{state.run.name} {state.progress["text"]}' for state in states if state.state == 'running'
        ]
        doing = f'; running: {", ".join(running)}' if running else ''
        self._say(summary(states, self.parallel) + doing)

    def _say(self, text: str) -> None:
        self.console.print(Text(f'[{time.strftime("%H:%M:%S")}] {text}'), soft_wrap=True)


class LiveView(PlainView):
    """A bar for the suite and one for every running run, redrawn in place; events scroll by above them."""

    every = DRAW_EVERY

    def __enter__(self):
        self._bars = Progress(
            TextColumn('[bold]{task.description}', markup=True),
            BarColumn(bar_width=24),
            TextColumn('{task.fields[text]}', markup=False),
            console=self.console,
            auto_refresh=False,
            transient=True,
        )
        self._whole = self._bars.add_task(self.suite.name, total=1.0, text='')
        self._tasks: dict[Run, TaskID] = {}
        self._latency: TaskID | None = None
        self._bars.start()
        return self

    def __exit__(self, *error):
        self._bars.stop()

    def measuring(self, progress: dict) -> None:
        """Redraw the bar of the measuring."""
        if self._latency is None:
            self._latency = self._bars.add_task('latency', total=1.0, text='')
        self._bars.update(self._latency, completed=progress['done'], text=progress['text'])
        self._bars.refresh()

    def show(self, states: list[RunState]) -> None:
        """Redraw the bars."""
        over = sum(state.state in ENDED for state in states)
        self._bars.update(self._whole, completed=over / len(states), text=summary(states, self.parallel))
        for state in states:
            run, now = state.run, state.progress
            if state.state == 'running':
                left = now['train_seconds'] * (1 / now['done'] - 1) if 0 < now['done'] < 1 else None
                text = now['text'] + (f', {clock(left)} left' if left is not None else '')
                if run not in self._tasks:
                    self._tasks[run] = self._bars.add_task(run.name, total=1.0, text='')
                self._bars.update(self._tasks[run], completed=now['done'], text=text)
            elif run in self._tasks:
                self._bars.remove_task(self._tasks.pop(run))
        self._bars.refresh()


def view_of(suite: Suite, parallel: int, console: Console) -> PlainView:
    """Choose the view that fits where the output goes."""
    return (LiveView if console.is_terminal else PlainView)(suite, parallel, console)


def summary(states: list[RunState], parallel: int) -> str:
    """Say how a suite stands: '3 of 9 finished, 1 failed, about 12 min left'."""
    counts = Counter(state.state for state in states)
    number = len(states) - counts['undecided'] - counts['not needed']
    parts = [f'{counts["finished"]} of {number} finished']
    parts += [f'{counts[word]} {word}' for word in ('diverged', 'failed', 'blocked') if counts[word]]
    if counts['undecided']:
        parts.append(f'{counts["undecided"]} more by the spread of the first seeds')
    if counts['waiting'] + counts['cut off'] + counts['running']:
        left = seconds_left(states, parallel)
        parts.append(f'about {clock(left)} left' if left is not None else 'time left not known yet')
    return ', '.join(parts)


def ending(state: RunState) -> str:
    """Say in one line how a run ended."""
    run = state.run
    if state.state == 'finished':
        return f'finished {run.name} in {clock(state.seconds)}: {scores(state)}'
    if state.state == 'blocked':
        needed = ', '.join(other.name for other in run.needs)
        return f'blocked {run.name}: it needs {needed}, of which none, or not all, came to a score'
    if state.state == 'outdated':
        return (
            f'outdated {run.name}: other values are best now than those that it was trained with; '
            '`run --redo` trains it anew'
        )
    return f'{state.state} {run.name}: {state.error} (see {run.folder})'


def scores(state: RunState) -> str:
    """Write the score of each test of a finished run: 'mIoU 71.30 %'; of several tests, each with its name."""
    texts = []
    for test in state.run.tests:
        metric = headline(state.metrics(test))
        name = f'{test} ' if len(state.run.tests) > 1 else ''
        texts.append(f'{name}{metric.name} {metric.value:.2f}{metric.unit}')
    return ', '.join(texts)


def watch(read: Callable[[], list[RunState]], console: Console, seconds: float | None = None) -> None:
    """Show the state of every run; with `seconds` again after so many, until no run is left to be done."""
    while True:
        states = read()
        if seconds and console.is_terminal:
            console.clear()
        console.print(status_table(states))
        if not seconds or all(state.state in ENDED for state in states):
            return
        console.print(
            f'{datetime.now():%H:%M:%S}, again every {seconds:g} s; Ctrl-C ends this look and no run'
        )
        try:
            time.sleep(seconds)
        except KeyboardInterrupt:
            return


def status_table(states: list[RunState]) -> Table:
    """Make a table of the state of every run."""
    styles = {
        'finished': 'green',
        'running': 'cyan',
        'failed': 'red',
        'diverged': 'red',
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
        elif state.state in ('failed', 'diverged'):
            detail = state.error
        elif state.state == 'blocked':
            detail = f'needs {", ".join(run.name for run in state.run.needs)}'
        elif state.state == 'outdated':
            detail = 'trained with other settings: `run` says which'
        word = f'[{styles[state.state]}]{state.state}[/]' if state.state in styles else state.state
        table.add_row(state.run.name, word, Text(detail))
    return table
