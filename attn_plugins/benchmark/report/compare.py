"""Compares the presets of a suite: mean and spread of each over seeds, and paired differences with their verdicts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from statistics import median

from attn_plugins.benchmark.decision import BETTER, WORSE, Verdict, verdicts
from attn_plugins.benchmark.latency import folder_of, read_latencies
from attn_plugins.benchmark.metrics import Metric, headline
from attn_plugins.benchmark.report.caveats import caveats, diverged, unshared, validations
from attn_plugins.benchmark.report.surroundings import is_busy, of_latency, of_training
from attn_plugins.benchmark.results import OVER, RunState
from attn_plugins.benchmark.statistics import Estimate, PairedDifference, estimate, paired_difference
from attn_plugins.benchmark.suite import Run, Suite
from attn_plugins.benchmark.suite_comparisons import all_pairs
from attn_plugins.benchmark.suite_presets import BASELINE
from attn_plugins.benchmark.tuning import Tried, tried
from attn_plugins.mim import CONFIGS
from attn_plugins.training.presets import preset_name

# Words of a metric that is not known to be better when it is higher.
NEUTRAL = {BETTER: 'higher', WORSE: 'lower'}
NOT_YET_DRAWN = (
    'it was trained by a version that drew none; the next `run` of the suite draws them, without training'
)
EXPLORATORY = Verdict('exploratory', "not among the suite's comparisons")


@dataclass(frozen=True)
class Drawn:
    """Pictures of what the run of a preset's first seed predicts.

    Attributes:
        seed: The seed.
        folder: The run's.
        images: What was drawn of each image, as the step keeps it (benchmark/pictures.py).
        why_not: The reason, when nothing was.
    """

    seed: int
    folder: str
    images: list[dict]
    why_not: str


@dataclass(frozen=True)
class PresetResult:
    """One preset of one config in one test.

    Attributes:
        preset: Name of the preset or variant.
        variant: What a variant is, e.g. 'none with model.backbone.base_channels=17'; empty for a preset as it is.
        score: The headline metric of the last checkpoint in the test, over the finished seeds; None when none is
            finite.
        best: The highest headline metric of each seed's validations; None where none has that metric, or it is not
            known whether more of it is better.
        lost: Seeds without a score that can be averaged: their training diverged, or its score is not finite.
        caveats: What a reader has to know of its runs (caveats.py).
        difference: Score minus that of the plain model with the same seed, over the seeds both have finished.
        parameters, madds: Counted; None when unknown.
        why_not_counted: The reason, when they are unknown.
        latency: `median_ms`, `p20_ms`, `p80_ms` of one image, as measured, and `is_busy`, whether beside other work;
            None where it was not measured.
        train_seconds, memory_mb: Medians over the finished seeds, as measured.
        memory_of: 'GPU' or 'process'.
        unfinished: Seed -> (state, what went wrong) of the runs that have no result.
        curves: Seed -> learning curve of the finished runs: `loss` and `validation`, pairs of iteration and value.
        drawn: Its predictions in the first of the tests; None in another, or where their run has not finished.
    """

    preset: str
    variant: str
    score: Estimate | None
    best: Estimate | None
    lost: list[int]
    caveats: list[str]
    difference: PairedDifference | None
    parameters: int | None
    madds: int | None
    why_not_counted: str
    latency: dict | None
    train_seconds: float | None
    memory_mb: float | None
    memory_of: str
    unfinished: dict[int, tuple[str, str]]
    curves: dict[int, dict[str, list]]
    drawn: Drawn | None

    @property
    def seeds(self) -> int:
        """How many seeds it is to be trained with."""
        return len(self.curves) + len(self.unfinished)

    @property
    def missing(self) -> list[str]:
        """What became of the seeds without a result, by their states: 'seeds 1, 2 failed'."""
        by_state: dict[str, list[str]] = {}
        for seed, (state, _) in self.unfinished.items():
            by_state.setdefault(state, []).append(str(seed))
        return [
            f'seed{"s" if seeds[1:] else ""} {", ".join(seeds)} {state}' for state, seeds in by_state.items()
        ]


@dataclass(frozen=True)
class Pair:
    """One preset minus another.

    Attributes:
        first: Name of the preset.
        second: Name of what is subtracted.
        difference: Of the scores with the same seed; None where no seed of both has finished.
        verdict: What it allows to say beside all others of the suite.
        rests_on: On which seeds it rests, if not on all, and whom that favours; the caveats of both.
        start: How the starts of the two with one seed differ, in words that follow 'they'; empty if they do not.
    """

    first: str
    second: str
    difference: PairedDifference | None
    verdict: Verdict
    rests_on: str
    start: str


@dataclass(frozen=True)
class Control:
    """What a preset is compared with, beside the plain model, to find out why it gains.

    Attributes:
        preset: Name of the control.
        gain: Its score minus that of the plain model, paired by seed.
        difference: The score of the preset that it controls minus its own, paired by seed.
    """

    preset: str
    gain: PairedDifference | None
    difference: PairedDifference | None


@dataclass(frozen=True)
class Controlled:
    """A preset that has controls: its own gain, and them."""

    preset: str
    gain: PairedDifference | None
    controls: list[Control]


@dataclass(frozen=True)
class Comparison:
    """One config of the suite in one of its tests.

    Its metric, its presets in the suite's order, their differences, those with controls, what was tried to tune each,
    and how its times were measured.
    """

    name: str
    key: str
    test: str
    config: str
    metric: Metric | None
    input_shape: list[int] | None
    presets: list[PresetResult]
    pairs: list[Pair]
    controls: list[Controlled]
    tuned: dict[str, list[Tried]]
    times: list[str]


def compare(suite: Suite, states: Sequence[RunState]) -> list[Comparison]:
    """Group a suite's runs by config and test, and compare the presets of each.

    The verdicts are of one family: the suite's comparisons in all configs and tests, whether they have finished or not.
    """
    groups: dict[str, list[RunState]] = {}
    trials: dict[str, list[RunState]] = {}
    for state in states:
        if state.state not in ('undecided', 'not needed'):
            held = groups if state.run.trial is None else trials
            held.setdefault(state.run.config_key, []).append(state)
    comparisons = [
        _compare(group, test, suite, key, tried(trials.get(key, [])))
        for key, group in groups.items()
        for test in group[0].run.tests
    ]
    family = [pair.difference for comparison in comparisons for pair in comparison.pairs if not pair.verdict]
    said = iter(verdicts(family))
    return [
        replace(
            comparison,
            pairs=[
                pair if pair.verdict else _with_verdict(pair, next(said), comparison.metric)
                for pair in comparison.pairs
            ],
        )
        for comparison in comparisons
    ]


def _with_verdict(pair: Pair, verdict: Verdict, metric: Metric | None) -> Pair:
    known = metric is None or metric.unit
    word = verdict.word if known else NEUTRAL.get(verdict.word, verdict.word)
    return replace(pair, verdict=replace(verdict, word=word))


def _compare(
    states: list[RunState], test: str, suite: Suite, key: str, tuned: dict[str, list[Tried]]
) -> Comparison:
    run = states[0].run
    finished = [state for state in states if _has(state, test)]
    metric = headline(finished[0].metrics(test)) if finished else None
    by_preset: dict[str, list[RunState]] = {}
    for state in states:
        by_preset.setdefault(state.run.preset_name, []).append(state)
    scores = {name: finite_scores(group, test) for name, group in by_preset.items()}

    rule = suite.more_seeds[key]
    first_stage = range(rule.first) if rule else ()

    @cache
    def difference(first: str, second: str) -> PairedDifference | None:
        return paired_difference(scores[first], scores.get(second, {}), suite.margins[key], first_stage)

    latencies = read_latencies(suite, key)
    gains = {name: None if name == BASELINE else difference(name, BASELINE) for name in scores}
    presets = [
        _preset_result(name, group, scores[name], gains[name], test, metric, latencies)
        for name, group in by_preset.items()
    ]
    declared = suite.comparisons[key]
    others = [pair for pair in all_pairs(list(scores), suite.controls[key]) if pair not in declared]
    by_name = {result.preset: result for result in presets}
    shapes = [state.steps.get('count', {}).get('input_shape') for state in finished]
    return Comparison(
        name=f'{run.config_key}, {test}' if len(run.tests) > 1 else run.config_key,
        key=run.config_key,
        test=test,
        config=_as_written(run.config),
        metric=metric,
        input_shape=next((shape for shape in shapes if shape), None),
        presets=presets,
        pairs=[
            _pair(
                by_name[first],
                by_name[second],
                difference(first, second),
                verdict,
                _start_of(by_preset[first], by_preset[second]),
            )
            for pairs, verdict in ((declared, None), (others, EXPLORATORY))
            for first, second in pairs
        ],
        controls=[
            Controlled(
                name,
                gains[name],
                [Control(other, gains[other], difference(name, other)) for other in others],
            )
            for name, others in suite.controls[key].items()
        ],
        tuned=tuned,
        times=[*of_latency(latencies, folder_of(suite)), *of_training(finished)],
    )


def _pair(
    first: PresetResult,
    second: PresetResult,
    difference: PairedDifference | None,
    verdict: Verdict | None,
    start: str,
) -> Pair:
    lost = [result.preset for result in (first, second) if result.lost]
    seeds, n = first.seeds, difference.n if difference else 0
    words = [f'on {n} of {seeds} seeds' + (f', which favours {lost[0]}' if len(lost) == 1 else '')]
    words = words if 0 < n < seeds else []
    words += [
        f'of {result.preset}, {", ".join(result.caveats)}' for result in (first, second) if result.caveats
    ]
    return Pair(first.preset, second.preset, difference, verdict, '; '.join(words), start)


def _start_of(first: Sequence[RunState], second: Sequence[RunState]) -> str:
    others = {state.run.seed: state.run.folder for state in second if state.state in OVER}
    folders = [(s.run.folder, others[s.run.seed]) for s in first if s.state in OVER and s.run.seed in others]
    return unshared(folders)


def _as_written(config: Path) -> str:
    """Write a config of this package as suites name it: 'configs/...'."""
    return str(config.relative_to(CONFIGS.parent)) if config.is_relative_to(CONFIGS.parent) else str(config)


def _preset_result(
    preset: str,
    states: list[RunState],
    scores: dict[int, float],
    difference: PairedDifference | None,
    test: str,
    metric: Metric | None,
    latencies: dict,
) -> PresetResult:
    done = [state for state in states if _has(state, test)]
    counted = next((state.steps['count'] for state in done if 'count' in state.steps), {})
    trained = [state.steps['train'] for state in done]
    best = [value for state in done if (value := _best(state, metric)) is not None]
    return PresetResult(
        preset=preset,
        variant=_variant(states[0].run),
        score=estimate(list(scores.values())),
        best=estimate(best),
        lost=[state.run.seed for state in [*done, *diverged(states)] if state.run.seed not in scores],
        caveats=caveats(states, done, scores, test, metric),
        difference=difference,
        parameters=counted.get('parameters'),
        madds=counted.get('madds'),
        why_not_counted=counted.get('why_not', ''),
        latency=latencies['presets'].get(preset)
        and dict(latencies['presets'][preset], is_busy=is_busy(latencies)),
        train_seconds=median(step['train_seconds'] for step in trained) if done else None,
        memory_mb=median(step['memory_mb'] for step in trained) if done else None,
        memory_of=trained[0]['memory_of'] if done else '',
        unfinished={s.run.seed: (s.state, s.error) for s in states if not _has(s, test)},
        curves={s.run.seed: {key: s.progress[key] for key in ('loss', 'validation')} for s in done},
        drawn=_drawn(states) if test == next(iter(states[0].run.tests)) else None,
    )


def _drawn(states: Sequence[RunState]) -> Drawn | None:
    """Find the pictures of the first seed's run; what became of a run without a result, other words say."""
    state = next((state for state in states if state.run.is_shown and state.state == 'finished'), None)
    if state is None:
        return None
    step = state.steps.get('pictures', dict(images=[], why_not=NOT_YET_DRAWN))
    return Drawn(state.run.seed, str(state.run.folder), step['images'], step['why_not'])


def finite_scores(states: Sequence[RunState], test: str) -> dict[int, float]:
    """Read the score of each seed that has one, as far as it is finite."""
    scores = {s.run.seed: headline(s.metrics(test)).value for s in states if _has(s, test)}
    return {seed: score for seed, score in scores.items() if math.isfinite(score)}


def _best(state: RunState, metric: Metric) -> float | None:
    """Find the highest finite value of the test's metric among a run's validations."""
    return max(validations(state, metric), default=None)


def _variant(run: Run) -> str:
    options = ', '.join(f'{name}={value}' for name, value in run.variant_options.items())
    return f'{preset_name(run.preset)} with {options}' if options else ''


def _has(state: RunState, test: str) -> bool:
    """Tell whether a run has a result of a test, though another test of it may have failed."""
    return state.state in ('finished', 'failed') and 'metrics' in state.steps.get(test, {})
