"""Results side by side: mean and spread of each preset over seeds, and its paired difference to the plain model."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median, stdev

from scipy import stats

from attn_plugins.benchmark.metrics import Metric, headline
from attn_plugins.benchmark.results import RunState
from attn_plugins.benchmark.suite_presets import BASELINE
from attn_plugins.mim import CONFIGS


@dataclass(frozen=True)
class Estimate:
    """A number over seeds. `std` (n - 1 in the denominator) and the 95 % t interval need two seeds, else None."""

    mean: float
    std: float | None
    n: int
    interval: tuple[float, float] | None


def estimate(values: Sequence[float]) -> Estimate | None:
    """Mean, standard deviation and interval; None without values."""
    if not values:
        return None
    if len(values) == 1:
        return Estimate(values[0], None, 1, None)
    std = stdev(values)
    # Without any spread the t distribution has no scale; the interval is the point itself.
    low, high = (
        stats.t.interval(0.95, len(values) - 1, mean(values), stats.sem(values))
        if std
        else (mean(values), mean(values))
    )
    return Estimate(mean(values), std, len(values), (float(low), float(high)))


@dataclass(frozen=True)
class PresetResult:
    """One preset of one config in one test.

    Attributes:
        preset: Name of the preset.
        score: The headline metric over the finished seeds, None when none has finished.
        difference: Score minus that of the plain model with the same seed, over the seeds both have finished.
        parameters, madds: Counted; None when unknown.
        why_not_counted: The reason, when they are unknown.
        train_seconds, memory_mb: Medians over the finished seeds, as measured.
        memory_of: 'GPU' or 'process'.
        unfinished: Seed -> (state, what went wrong) of the runs that have no result.
        curves: Seed -> learning curve of the finished runs: `loss` and `validation`, pairs of iteration and value.
    """

    preset: str
    score: Estimate | None
    difference: Estimate | None
    parameters: int | None
    madds: int | None
    why_not_counted: str
    train_seconds: float | None
    memory_mb: float | None
    memory_of: str
    unfinished: dict[int, tuple[str, str]]
    curves: dict[int, dict[str, list]]


@dataclass(frozen=True)
class Comparison:
    """One config of the suite in one of its tests: its metric and its presets, in the suite's order."""

    name: str
    key: str
    test: str
    config: str
    metric: Metric | None
    input_shape: list[int] | None
    presets: list[PresetResult]


def compare(states: Sequence[RunState]) -> list[Comparison]:
    """Group a suite's runs by config and test, and compare the presets of each."""
    groups: dict[str, list[RunState]] = {}
    for state in states:
        groups.setdefault(state.run.config_key, []).append(state)
    return [_compare(group, test) for group in groups.values() for test in group[0].run.tests]


def _compare(states: list[RunState], test: str) -> Comparison:
    run = states[0].run
    finished = [state for state in states if _has(state, test)]
    plain = {s.run.seed: _score(s, test) for s in finished if s.run.preset_name == BASELINE}
    shapes = [state.steps.get('count', {}).get('input_shape') for state in finished]
    return Comparison(
        name=f'{run.config_key}, {test}' if len(run.tests) > 1 else run.config_key,
        key=run.config_key,
        test=test,
        config=_as_written(run.config),
        metric=headline(finished[0].metrics(test)) if finished else None,
        input_shape=next((shape for shape in shapes if shape), None),
        presets=[
            _preset_result(name, [s for s in states if s.run.preset_name == name], plain, test)
            for name in dict.fromkeys(s.run.preset_name for s in states)
        ],
    )


def _as_written(config: Path) -> str:
    """A config of this package as suites name it: 'configs/...'."""
    return str(config.relative_to(CONFIGS.parent)) if config.is_relative_to(CONFIGS.parent) else str(config)


def _preset_result(preset: str, states: list[RunState], plain: dict[int, float], test: str) -> PresetResult:
    done = [state for state in states if _has(state, test)]
    differences = [_score(state, test) - plain[state.run.seed] for state in done if state.run.seed in plain]
    counted = next((state.steps['count'] for state in done if 'count' in state.steps), {})
    trained = [state.steps['train'] for state in done]
    return PresetResult(
        preset=preset,
        score=estimate([_score(state, test) for state in done]),
        difference=None if preset == BASELINE else estimate(differences),
        parameters=counted.get('parameters'),
        madds=counted.get('madds'),
        why_not_counted=counted.get('why_not', ''),
        train_seconds=median(step['train_seconds'] for step in trained) if done else None,
        memory_mb=median(step['memory_mb'] for step in trained) if done else None,
        memory_of=trained[0]['memory_of'] if done else '',
        unfinished={s.run.seed: (s.state, s.error) for s in states if not _has(s, test)},
        curves={s.run.seed: {key: s.progress[key] for key in ('loss', 'validation')} for s in done},
    )


def _has(state: RunState, test: str) -> bool:
    """Whether a run has a result of a test, though another test of it may have failed."""
    return state.state in ('finished', 'failed') and 'metrics' in state.steps.get(test, {})


def _score(state: RunState, test: str) -> float:
    return headline(state.metrics(test)).value


def verdict(comparisons: Sequence[Comparison]) -> str:
    """What the differences allow to say, in a sentence or two."""
    differences = [
        (f'{comparison.name}/{result.preset}', result.difference)
        for comparison in comparisons
        for result in comparison.presets
        if result.difference
    ]
    if not differences:
        return 'There is no finished pair to compare with the plain model yet.'
    sentences = []
    if single := [name for name, d in differences if d.n == 1]:
        whose = (
            'All differences'
            if len(single) == len(differences)
            else f'The differences of {", ".join(single)}'
        )
        sentences.append(
            f'{whose} are of one seed (n = 1). One seed shows no gain: it does not tell how much the '
            'result moves from seed to seed; run at least three.'
        )
    several = [(name, d) for name, d in differences if d.n > 1]
    if several:
        clear = [f'{name} ({d.mean:+.2f})' for name, d in several if not d.interval[0] <= 0 <= d.interval[1]]
        sentences.append(
            'Over several seeds, the 95 % interval of the paired difference leaves out zero for '
            + (', '.join(clear) if clear else 'none')
            + f' of {len(several)} comparison{"s" if len(several) > 1 else ""}'
            + '. If no preset changed anything, one comparison in twenty would still do so.'
        )
    return ' '.join(sentences)
