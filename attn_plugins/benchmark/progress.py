"""What a suite at work shows: a live display on a terminal, plain lines elsewhere."""

import time
from collections import Counter

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from attn_plugins.benchmark.metrics import headline
from attn_plugins.benchmark.results import Row, clock, read_progress, seconds_left, stamp
from attn_plugins.benchmark.suite import Run, Suite

# Seconds between two lines about the state when there is no terminal, and between two drawings when there is one.
PLAIN_EVERY = 30.0
DRAW_EVERY = 0.5


class PlainView:
    """One line per event and one about the whole every 30 s: for log files and pipes."""

    every = PLAIN_EVERY

    def __init__(self, suite: Suite, slots: int, console: Console):
        self.suite, self.slots, self.console = suite, slots, console
        self._next_look = 0.0

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    def started(self, run: Run):
        """A run has started, or goes on."""
        self._say(f'started {run.name}')

    def ended(self, row: Row):
        """A run has finished or failed, or cannot start because another failed."""
        self._say(ending(row))

    def look(self, rows: list[Row]):
        """How all runs stand; called several times a second."""
        if time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + self.every
            self.show(rows)

    def show(self, rows: list[Row]):
        """Show how all runs stand."""
        running = [f'{row.run.name} {read_progress(row.run).text}' for row in rows if row.state == 'running']
        doing = f'; running: {", ".join(running)}' if running else ''
        self._say(summary(rows, self.slots) + doing)

    def _say(self, text: str):
        self.console.print(Text(f'[{stamp()}] {text}'), soft_wrap=True)


class LiveView(PlainView):
    """A bar for the suite and one for every running run, redrawn in place; events scroll by above them."""

    every = DRAW_EVERY

    def __enter__(self):
        self._live = Live(console=self.console, auto_refresh=False, transient=True)
        self._live.__enter__()
        return self

    def __exit__(self, *error):
        self._live.__exit__(*error)

    def show(self, rows: list[Row]):
        """Redraw."""
        grid = Table.grid(padding=(0, 2))
        for row in rows:
            if row.state == 'running':
                now = read_progress(row.run)
                left = now.seconds * (1 / now.fraction - 1) if 0 < now.fraction < 1 else None
                grid.add_row(
                    row.run.name,
                    ProgressBar(1.0, now.fraction, width=24),
                    Text(now.text, style='cyan'),
                    Text(f'{clock(left)} left' if left is not None else '', style='dim'),
                )
        done = sum(row.state in ('finished', 'failed', 'blocked') for row in rows)
        bar = Table.grid(padding=(0, 2))
        bar.add_row(
            Text(self.suite.name, style='bold'),
            ProgressBar(len(rows), done, width=40),
            Text(summary(rows, self.slots)),
        )
        self._live.update(Group(bar, grid), refresh=True)


def view_of(suite: Suite, slots: int, console: Console) -> PlainView:
    """The view that fits where the output goes."""
    return (LiveView if console.is_terminal else PlainView)(suite, slots, console)


def summary(rows: list[Row], slots: int) -> str:
    """E.g. '3 of 9 finished, 1 failed, about 12 min left'."""
    counts = Counter(row.state for row in rows)
    parts = [f'{counts["finished"]} of {len(rows)} finished']
    parts += [f'{counts[state]} {state}' for state in ('failed', 'blocked') if counts[state]]
    if counts['waiting'] + counts['cut off'] + counts['running']:
        left = seconds_left(rows, slots)
        parts.append(f'about {clock(left)} left' if left is not None else 'time left not known yet')
    return ', '.join(parts)


def ending(row: Row) -> str:
    """One line about how a run ended."""
    if row.state == 'finished':
        metric = headline(row.result['metrics'])
        return (
            f'finished {row.run.name} in {clock(row.seconds)}: {metric.name} {metric.value:.2f}{metric.unit}'
        )
    if row.state == 'blocked':
        return f'blocked {row.run.name}: it needs {row.run.needs.name}, which did not finish'
    return f'failed {row.run.name}: {row.result["error"]} (see {row.run.folder})'
