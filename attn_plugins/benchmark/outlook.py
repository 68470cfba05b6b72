"""What the seeds of a suite can show, said before it starts."""

from collections.abc import Sequence
from statistics import median

from attn_plugins.benchmark.decision import LEAST_SEEDS, NEEDED
from attn_plugins.benchmark.report.compare import EXPLORATORY, Comparison
from attn_plugins.benchmark.seeds import MoreSeeds
from attn_plugins.benchmark.statistics import least_difference, seeds_needed
from attn_plugins.benchmark.suite import Suite

# Fewer seeds that have finished do not tell a spread.
SPREAD_SEEDS = 3


def outlook(suite: Suite, comparisons: Sequence[Comparison]) -> list[str]:
    """Say for each config the least difference that its seeds show with 80 % power, by the declared spread or that of results that are there.

    Args:
        suite: The suite.
        comparisons: What has finished of it so far.
    """
    pairs = {c.name: [pair for pair in c.pairs if pair.verdict != EXPLORATORY] for c in comparisons}
    family = sum(map(len, pairs.values()))
    names: dict[str, list[str]] = {}
    for c in comparisons:
        if pairs[c.name]:
            trained = {run.seed for run in suite.runs if run.config_key == c.key and run.trial is None}
            spreads = [d.std for pair in pairs[c.name] if (d := pair.difference) and d.n >= SPREAD_SEEDS]
            found = median(spreads) if spreads else None
            seeds, why = _seeds(len(trained), suite.more_seeds[c.key], suite.spreads[c.key] or found)
            rule = suite.more_seeds[c.key]
            sentence = why + _sentence(seeds, family, suite.spreads[c.key], found, rule and rule.first)
            names.setdefault(sentence, []).append(c.name)
    return [f'{"; ".join(where)}: {sentence}' for sentence, where in names.items()]


def _seeds(most: int, rule: MoreSeeds | None, spread: float | None) -> tuple[int, str]:
    """How many seeds there will be, and in words how they are found, where a rule adds them."""
    if rule is None:
        return most, ''
    seeds = (
        rule.first if spread is None else min(most, int(seeds_needed(spread, rule.first, rule.half_width)))
    )
    return seeds, f'{rule.first} to {most} seeds, until intervals reach {rule.half_width:g} to each side; '


def _sentence(
    seeds: int, family: int, declared: float | None, found: float | None, first: int | None = None
) -> str:
    if seeds < LEAST_SEEDS:
        return f'{seeds} seed{"s give" if seeds > 1 else " gives"} no verdict: {NEEDED}'
    shown = f'{seeds} seeds and {family} comparison{"s" if family > 1 else ""} show, in four of five cases, a difference of'
    if declared or found:
        whose = 'as declared' if declared else 'of the results that are there'
        spread = declared or found
        return f'{shown} {least_difference(spread, seeds, family, first=first):.2f} points (spread {spread:.2g} {whose})'
    return f'{shown} {least_difference(1.0, seeds, family, first=first):.1f} times its spread over seeds (declare it: spread: 0.5)'
