"""Says what a reader has to know of the runs behind a mean or a difference.

Seeds that are lost, that learnt nothing, that were still improving at their end, or that were not resumed exactly;
pairs of runs that did not begin with the same weights.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from scipy.stats import linregress

from attn_plugins.benchmark.metrics import Metric, headline
from attn_plugins.benchmark.results import RunState
from attn_plugins.benchmark.run_folder import START
from attn_plugins.benchmark.statistics import LEVEL
from attn_plugins.files import read_json

# Of the starts of a pair, where one is of a version that did not keep it.
NOT_ON_RECORD = 'have a start that is not on record'
# Fewer validations say nothing about a curve. Its last part is looked at, which has at least three of them.
LEAST_VALIDATIONS = 6
PART, LEAST_IN_PART = 0.25, 3
# The share of the whole rise that a rise over the last part must exceed to count.
LEAST_RISE = 0.05


def caveats(
    states: list[RunState],
    done: list[RunState],
    scores: dict[int, float],
    test: str,
    metric: Metric | None,
) -> list[str]:
    """Say what has to be known of the runs behind a mean, each with how many of the seeds it is true of.

    Args:
        states: The runs of a preset.
        done: Those of them that have been tested.
        scores: Seed -> score, of those whose score is finite.
        test: The test.
        metric: What it is scored by.
    """

    def at_chance(state: RunState) -> bool:
        bound = state.steps[test].get('chance', {}).get(metric.key)
        return bound is not None and float(state.metrics(test)[metric.key]) <= bound

    finite = [state for state in done if state.run.seed in scores]
    improving = [state for state in finite if was_improving(validations(state, metric))]
    counts = {
        'diverged': len(diverged(states)),
        'without a finite score': len(done) - len(finite),
        'at the level of chance, so nothing was learnt': sum(map(at_chance, finite)),
        'still improving at the end, so not converged': len(improving),
    }
    for state in done:
        if reason := state.steps['train'].get('inexact'):
            words = f'resumed, and not as if without a break ({reason})'
            counts[words] = counts.get(words, 0) + 1
    return [f'{count} of {len(states)} seeds {words}' for words, count in counts.items() if count]


def diverged(states: Sequence[RunState]) -> list[RunState]:
    """Choose the runs whose loss became infinite or not a number."""
    return [state for state in states if state.state == 'diverged']


def validations(state: RunState, metric: Metric) -> list[float]:
    """List a run's headline metric at each validation, as far as it is finite and more of it is known to be better."""
    return metric_values(state.progress['validation'], metric)


def metric_values(validation: Sequence[tuple[int, Mapping]], metric: Metric) -> list[float]:
    """Take a metric from (iteration, metrics), as far as it is finite and more of it is known to be better."""
    if not metric.unit:
        return []
    found = [headline(metrics) for _, metrics in validation if metric.key in metrics]
    return [value.value for value in found if value.key == metric.key and math.isfinite(value.value)]


def was_improving(scores: Sequence[float]) -> bool | None:
    """Tell whether scores were still rising over the last quarter of a training's validations; None of fewer than six.

    Equation:
        b = the slope of the least-squares line through the last quarter, n_q = max(3, n / 4) validations
        improving = the one-sided t test of b > 0 has p < 0.05, and b (n_q - 1) > 0.05 (max_i y_i - y_1)

    Args:
        scores (Sequence[float]): The metric, higher is better, at validations that are equally far apart.
    """
    if len(scores) < LEAST_VALIDATIONS:
        return None
    last = scores[-max(LEAST_IN_PART, round(PART * len(scores))) :]
    whole = max(scores) - scores[0]
    if whole <= 0 or max(last) == min(last):
        return False
    line = linregress(range(len(last)), last, alternative='greater')
    return bool(line.pvalue < LEVEL and line.slope * (len(last) - 1) > LEAST_RISE * whole)


def unshared(folders: Sequence[tuple[Path, Path]]) -> str:
    """Say how the starts of pairs of runs differ, in words that follow 'they'; empty if they do not.

    Weights that one model of a pair does not have, as those of a replaced convolution or of inserted layers, are not
    compared.

    Args:
        folders: Those of two runs of one seed each.
    """
    words = [_unshared(*(read_json(folder / START) for folder in pair)) for pair in folders]
    return ' and '.join(word for word in dict.fromkeys(words) if word)


def _unshared(first: Mapping[str, str] | None, second: Mapping[str, str] | None) -> str:
    """Compare one pair, each given by its weights' shapes and digests (training/shared_start.py)."""
    if first is None or second is None:
        return NOT_ON_RECORD
    common = [name for name in first if name in second]
    alike = [name for name in common if first[name] == second[name]]
    if len(alike) == len(common):
        return ''
    if any(first[name].split()[0] != second[name].split()[0] for name in common):
        return f'differ in shape, so {len(alike)} of {len(common)} weights start alike'
    return (
        f'start from other values in {len(common) - len(alike)} of {len(common)} weights: results of another version '
        'or machine are mixed in, or a model above the plugged part draws all its weights in one go'
    )
