"""Results side by side: mean and spread of each preset over seeds, and paired differences to the plain model and to controls."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from attn_plugins.benchmark.metrics import Metric, headline
from attn_plugins.benchmark.results import RunState
from attn_plugins.benchmark.statistics import Estimate, estimate, paired_difference
from attn_plugins.benchmark.suite import Run, Suite
from attn_plugins.benchmark.suite_presets import BASELINE
from attn_plugins.engine.config import preset_name
from attn_plugins.mim import CONFIGS


@dataclass(frozen=True)
class PresetResult:
    """One preset of one config in one test.

    Attributes:
        preset: Name of the preset or twin.
        twin: What a twin is, e.g. 'none with model.backbone.base_channels=17'; empty for a preset as it is.
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
    twin: str
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
class Control:
    """What a preset is held against.

    Attributes:
        preset: Name of the control.
        gain: Its score minus that of the plain model, paired by seed.
        difference: The score of the preset that it controls minus its own, paired by seed.
    """

    preset: str
    gain: Estimate | None
    difference: Estimate | None


@dataclass(frozen=True)
class Controlled:
    """A preset that has controls: its own gain, and them."""

    preset: str
    gain: Estimate | None
    controls: list[Control]


@dataclass(frozen=True)
class Comparison:
    """One config of the suite in one of its tests: its metric, its presets in the suite's order, and those with controls."""

    name: str
    key: str
    test: str
    config: str
    metric: Metric | None
    input_shape: list[int] | None
    presets: list[PresetResult]
    controls: list[Controlled]


def compare(suite: Suite, states: Sequence[RunState]) -> list[Comparison]:
    """Group a suite's runs by config and test, and compare the presets of each."""
    groups: dict[str, list[RunState]] = {}
    for state in states:
        groups.setdefault(state.run.config_key, []).append(state)
    return [
        _compare(group, test, suite.controls[key])
        for key, group in groups.items()
        for test in group[0].run.tests
    ]


def _compare(states: list[RunState], test: str, controls: dict[str, list[str]]) -> Comparison:
    run = states[0].run
    finished = [state for state in states if _has(state, test)]
    by_preset: dict[str, list[RunState]] = {}
    for state in states:
        by_preset.setdefault(state.run.preset_name, []).append(state)
    scores = {
        name: {state.run.seed: _score(state, test) for state in group if _has(state, test)}
        for name, group in by_preset.items()
    }
    gains = {
        name: None if name == BASELINE else paired_difference(scores[name], scores.get(BASELINE, {}))
        for name in scores
    }
    shapes = [state.steps.get('count', {}).get('input_shape') for state in finished]
    return Comparison(
        name=f'{run.config_key}, {test}' if len(run.tests) > 1 else run.config_key,
        key=run.config_key,
        test=test,
        config=_as_written(run.config),
        metric=headline(finished[0].metrics(test)) if finished else None,
        input_shape=next((shape for shape in shapes if shape), None),
        presets=[_preset_result(name, group, gains[name], test) for name, group in by_preset.items()],
        controls=[
            Controlled(
                name,
                gains[name],
                [
                    Control(other, gains[other], paired_difference(scores[name], scores[other]))
                    for other in others
                ],
            )
            for name, others in controls.items()
        ],
    )


def _as_written(config: Path) -> str:
    """A config of this package as suites name it: 'configs/...'."""
    return str(config.relative_to(CONFIGS.parent)) if config.is_relative_to(CONFIGS.parent) else str(config)


def _preset_result(
    preset: str, states: list[RunState], difference: Estimate | None, test: str
) -> PresetResult:
    done = [state for state in states if _has(state, test)]
    counted = next((state.steps['count'] for state in done if 'count' in state.steps), {})
    trained = [state.steps['train'] for state in done]
    return PresetResult(
        preset=preset,
        twin=_twin(states[0].run),
        score=estimate([_score(state, test) for state in done]),
        difference=difference,
        parameters=counted.get('parameters'),
        madds=counted.get('madds'),
        why_not_counted=counted.get('why_not', ''),
        train_seconds=median(step['train_seconds'] for step in trained) if done else None,
        memory_mb=median(step['memory_mb'] for step in trained) if done else None,
        memory_of=trained[0]['memory_of'] if done else '',
        unfinished={s.run.seed: (s.state, s.error) for s in states if not _has(s, test)},
        curves={s.run.seed: {key: s.progress[key] for key in ('loss', 'validation')} for s in done},
    )


def _twin(run: Run) -> str:
    options = ', '.join(f'{name}={value}' for name, value in run.twin_options.items())
    return f'{preset_name(run.preset)} with {options}' if options else ''


def _has(state: RunState, test: str) -> bool:
    """Whether a run has a result of a test, though another test of it may have failed."""
    return state.state in ('finished', 'failed') and 'metrics' in state.steps.get(test, {})


def _score(state: RunState, test: str) -> float:
    return headline(state.metrics(test)).value
