"""Reads a suite's folder: the state of every run, how far it is, and its result."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from math import isfinite, nan

from attn_plugins.benchmark.metrics import headline
from attn_plugins.benchmark.plan import Plan
from attn_plugins.benchmark.run_folder import FAILURE, HOLDER, PROGRESS, RANK_FAILURES, RESULT, RUN, is_locked
from attn_plugins.benchmark.seeds import MoreSeeds, seeds_wanted
from attn_plugins.benchmark.steps import has_finished, left_of
from attn_plugins.benchmark.suite import Run, Suite
from attn_plugins.files import read_json

# In the order a run usually passes through them.
STATES = (
    'undecided', 'not needed', 'waiting', 'running', 'cut off', 'blocked', 'failed', 'diverged', 'outdated', 'finished',
)  # fmt: skip
# States of runs with a result, and states that this call will not change any more.
OVER = ('finished', 'diverged')
ENDED = (*OVER, 'failed', 'blocked', 'not needed')
# What a run shows before its training has written anything.
STARTING = dict(step='train', done=0.0, text='starting', train_seconds=0.0, loss=[], validation=[])


@dataclass(frozen=True)
class RunState:
    """A run and what is known of it.

    Attributes:
        run: The run.
        state: One of `STATES`; 'blocked' waits for a run that failed or diverged, 'cut off' goes on at the next call,
            'outdated' was trained with other settings than the suite's now; 'diverged' had a loss that was not finite.
            A later seed is 'undecided' until the spread of the first ones is known, then 'waiting' or 'not needed'.
        steps: The result of each step that is done, by the step's name.
        progress: How far it is: `done` (0 to 1), `text`, `train_seconds`, `loss`, `validation`, as ProgressHook writes
            it.
        error: What went wrong, of a run that failed or diverged.
        made_with: Versions, machine, commit, threads and processes of a run that has begun.
    """

    run: Run
    state: str
    steps: dict[str, dict]
    progress: dict
    error: str
    made_with: dict

    @property
    def seconds(self) -> float:
        """Seconds by the clock that the finished steps took, with the start of their processes."""
        # Results from before the clock was read have the seconds of training and test alone.
        return sum(
            step.get('wall_seconds', step.get('train_seconds', 0.0) + step.get('seconds', 0.0))
            for step in self.steps.values()
        )

    @property
    def lacks_extras(self) -> bool:
        """Whether it has finished, but for steps that its version did not have, or that were cut off."""
        return self.state == 'finished' and bool(left_of(self.run.steps, self.steps))

    def metrics(self, test: str) -> dict[str, float]:
        """Look up the metrics of a test."""
        return self.steps[test]['metrics']


def read_results(
    suite: Suite, plans: Mapping[Run, Plan] | None = None, running: Collection[Run] = ()
) -> list[RunState]:
    """Read the state of each run of the suite, in the suite's order.

    Args:
        suite: The suite.
        plans: Its runs, resolved; without them runs that were trained with other settings are not recognised.
        running: Runs that are known to run, though they may not have locked their folder yet, or have just finished.
    """
    states: dict[Run, RunState] = {}
    for run in suite.runs:
        result = read_json(run.folder / RESULT) or {}
        if not isinstance(result.get('steps'), dict):  # written by hand, or by a disk that was full
            result = {}
        steps = result.get('steps', {})
        state, error = ('running', '') if run in running else _state(run, result, states)
        if state == 'cut off' and _has_just_started(run, suite):
            state = 'running'
        progress = _progress(run)
        if state == 'finished' and any(states[trial].state not in OVER for trial in run.trials):
            state = 'waiting'  # for what is best among values that are tried anew
        if state == 'finished' and (lost := _first_not_finite(progress['loss'])):
            state, error = 'diverged', f'train: the loss was no number at iteration {lost}'
        if state in OVER and plans and run in plans and plans[run].is_outdated:
            state = 'outdated'
        made_with = {key: value for key, value in result.items() if key not in ('state', 'steps', 'error')}
        states[run] = RunState(run, state, steps, progress, error, made_with)
    for run, state in _later_seeds(suite, states).items():
        if states[run].state in ('waiting', 'blocked'):
            states[run] = replace(states[run], state=state)
    return list(states.values())


def _progress(run: Run) -> dict:
    """Read how far a run is; curves that are no lists of points are left out."""
    progress = {**STARTING, **(read_json(run.folder / PROGRESS) or {})}
    try:
        progress['loss'] = [(step, float(loss)) for step, loss in progress['loss']]
        progress['validation'] = [(step, dict(metrics)) for step, metrics in progress['validation']]
    except (TypeError, ValueError):
        progress |= dict(loss=[], validation=[])
    return progress


def _later_seeds(suite: Suite, states: Mapping[Run, RunState]) -> dict[Run, str]:
    """Choose the runs of later seeds that are not wanted, or not yet, and that no wanted run starts from."""
    kept: dict[Run, str] = {}
    for key, rule in suite.more_seeds.items():
        if rule is None:
            continue
        runs = [run for run in suite.runs if run.config_key == key and run.trial is None]
        first = [states[run] for run in runs if run.seed < rule.first]
        is_known = all(state.state in ENDED for state in first)
        wanted = _seeds_wanted(suite, key, rule, first) if is_known else rule.first
        kept |= {run: 'not needed' if is_known else 'undecided' for run in runs if run.seed >= wanted}
    for run in reversed(suite.runs):
        if run not in kept:
            for other in run.needs:
                kept.pop(other, None)
    return kept


def _seeds_wanted(suite: Suite, key: str, rule: MoreSeeds, first: list[RunState]) -> int:
    """Ask how many seeds each test needs, and take the most."""
    wanted = rule.first
    for test in first[0].run.tests:
        scores: dict[str, dict[int, float]] = {}
        for state in first:
            score = headline(state.metrics(test)).value if state.state == 'finished' else nan
            if isfinite(score):
                scores.setdefault(state.run.preset_name, {})[state.run.seed] = score
        wanted = max(wanted, seeds_wanted(rule, scores, suite.comparisons[key]))
    return wanted


def _state(run: Run, result: dict, states: dict[Run, RunState]) -> tuple[str, str]:
    """Find out the state of a run and what went wrong."""
    # A test that the suite has got since is still to be done.
    if result.get('state') == 'finished' and has_finished(run.steps, result['steps']):
        return 'finished', ''
    if result.get('state') in ('failed', 'diverged'):
        return _first_failure(run) or (result['state'], str(result.get('error', '')))
    if is_locked(run.folder):
        return 'running', ''
    if failure := read_json(run.folder / FAILURE):
        return _first_failure(run) or ('failed', failure['error'])
    if _is_blocked(run, states):
        return 'blocked', ''
    return ('cut off' if (run.folder / RUN).is_file() else 'waiting'), ''


def _is_blocked(run: Run, states: Mapping[Run, RunState]) -> bool:
    """Tell whether a run can never start: one that it needs failed or diverged, or all of its trials diverged."""
    lost = [states[other].run for other in run.needs if states[other].state == 'diverged']
    return (
        any(states[other].state in ('failed', 'blocked') for other in run.needs)
        or any(other.trial is None for other in lost)
        or bool(run.trials)
        and set(run.trials) <= set(lost)
    )


def _first_failure(run: Run) -> tuple[str, str] | None:
    """Find out what went wrong first in a run of several processes; the others fail after it, as they wait for it."""
    failures = sorted(run.folder.glob(RANK_FAILURES), key=lambda file: file.stat().st_mtime)
    first = read_json(failures[0]) if failures else None
    return first and (first.get('state', 'failed'), first['error'])


def _first_not_finite(losses: list) -> int | None:
    """Find the first iteration whose loss is not finite, in results of versions that trained on after it."""
    return next((step for step, loss in losses if not isfinite(loss)), None)


def _has_just_started(run: Run, suite: Suite) -> bool:
    """Tell whether a suite at work has started the run: its process loads libraries before it locks its folder."""
    holder = suite.folder / HOLDER
    return (
        holder.is_file()
        and (run.folder / RUN).stat().st_mtime > holder.stat().st_mtime
        and is_locked(suite.folder)
    )


def seconds_left(states: list[RunState], parallel: int) -> float | None:
    """Estimate the seconds until all runs that can finish have; None before any run shows how long it takes."""
    by_key: dict[str, list[float]] = {}
    for state in states:
        if state.state == 'finished':
            by_key.setdefault(state.run.config_key, []).append(state.seconds)
    for state in states:
        now = state.progress
        if state.state == 'running' and state.run.config_key not in by_key and now['done'] > 0.02:
            by_key[state.run.config_key] = [now['train_seconds'] / now['done']]
    if not by_key:
        return None
    means = {key: sum(times) / len(times) for key, times in by_key.items()}
    typical = sum(means.values()) / len(means)
    left = [
        means.get(state.run.config_key, typical) * (1 - state.progress['done'])
        for state in states
        if state.state in ('waiting', 'cut off', 'running')
    ]
    return max([sum(left) / parallel, *left], default=0.0)


def clock(seconds: float) -> str:
    """Write seconds as a person says them: '45 s', '3 min 05 s', '3 h 20 min'."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes == 0:
        return f'{rest} s'
    hours, minutes = divmod(minutes, 60)
    return f'{hours} h {minutes:02d} min' if hours else f'{minutes} min {rest:02d} s'
