"""What is to be known of the runs behind a mean: seeds that are lost, learnt nothing, were not at rest, or were resumed as others."""

import math
from collections.abc import Sequence

from attn_plugins.benchmark.metrics import Metric, headline
from attn_plugins.benchmark.report.convergence import was_improving
from attn_plugins.benchmark.results import RunState


def diverged(states: Sequence[RunState]) -> list[RunState]:
    """Those whose loss was no number."""
    return [state for state in states if state.state == 'diverged']


def caveats(
    states: list[RunState],
    done: list[RunState],
    scores: dict[int, float],
    test: str,
    metric: Metric | None,
) -> list[str]:
    """Says what is to be known of the runs behind a mean, each with how many of the seeds it is of.

    Args:
        states: The runs of a preset.
        done: Those of them that have been tested.
        scores: Seed -> score, of those whose score is a number.
        test: The test.
        metric: What it is scored by.
    """

    def at_chance(state: RunState) -> bool:
        bound = state.steps[test].get('chance', {}).get(metric.key)
        return bound is not None and float(state.metrics(test)[metric.key]) <= bound

    finite = [state for state in done if state.run.seed in scores]
    counts = {
        'diverged': len(diverged(states)),
        'without a finite score': len(done) - len(finite),
        'at the level of chance, so nothing was learnt': sum(map(at_chance, finite)),
        'still improving at the end, so not converged': sum(
            bool(was_improving(validations(state, metric))) for state in finite
        ),
    }
    for state in done:
        if reason := state.steps['train'].get('inexact'):
            words = f'resumed, and not as if without a break ({reason})'
            counts[words] = counts.get(words, 0) + 1
    return [f'{count} of {len(states)} seeds {words}' for words, count in counts.items() if count]


def validations(state: RunState, metric: Metric) -> list[float]:
    """A run's headline metric at each validation, as far as it is a number of which more is better."""
    if not metric.unit:
        return []
    found = [headline(metrics) for _, metrics in state.progress['validation'] if metric.key in metrics]
    return [value.value for value in found if value.key == metric.key and math.isfinite(value.value)]
