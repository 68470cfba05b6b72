"""Decides whether a comparison is better, worse, equal within a margin, or not decided."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from attn_plugins.benchmark.statistics import LEVEL, PairedDifference, holm, least_difference

# Fewer get no verdict.
LEAST_SEEDS = 5
NEEDED = 'five seeds are needed'
BETTER, WORSE, EQUAL, NOT_DECIDED, NO_VERDICT = 'better', 'worse', 'equal', 'not decided', 'no verdict'


@dataclass(frozen=True)
class Verdict:
    """What a comparison of a family allows to say.

    Attributes:
        word: 'better', 'worse', 'equal within 0.5', 'not decided' or 'no verdict'; 'higher' and 'lower' of a metric
            that is not known to be better when it is higher; 'exploratory' outside of the family.
        reason: What the word rests on.
        p_holm: p value of the difference after Holm over the family; None without a verdict.
        p_equivalence_holm: p value of equivalence after Holm; None without a verdict or a margin.
        least_difference: The smallest true difference that as many seeds show with 80 % power, given the spread.
    """

    word: str
    reason: str
    p_holm: float | None = None
    p_equivalence_holm: float | None = None
    least_difference: float | None = None


def decide(
    n: np.ndarray, mean: np.ndarray, p: np.ndarray, p_equivalence: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Choose the word of each comparison of a family, which lies along the last axis.

    A comparison with fewer than five seeds has no verdict and counts in the family with p = 1. Equivalence comes first,
    as the margin says what difference does not matter.

    Args:
        n: Seeds of each.
        mean: Mean difference of each.
        p: p values of the differences (`PairedDifference.p_coarse`).
        p_equivalence: p values of equivalence; 1 where no margin is declared.

    Returns:
        tuple[np.ndarray, ...]: Words, and both p values after Holm.
    """
    enough = np.asarray(n) >= LEAST_SEEDS
    p, p_equivalence = (holm(np.where(enough, values, 1.0)) for values in (p, p_equivalence))
    clear = p < LEVEL
    choices = [~enough, p_equivalence < LEVEL, clear & (mean > 0), clear]
    return np.select(choices, [NO_VERDICT, EQUAL, BETTER, WORSE], NOT_DECIDED), p, p_equivalence


def verdicts(differences: Sequence[PairedDifference | None]) -> list[Verdict]:
    """Say of each comparison of a family what it allows to say.

    Args:
        differences: One for each comparison, None where no seed of both has finished.
    """

    def each(of, absent: float) -> np.ndarray:
        values = [absent if d is None or of(d) is None else of(d) for d in differences]
        return np.array(values, float)

    words, p, p_equivalence = decide(
        each(lambda d: d.n, 0),
        each(lambda d: d.mean, 0),
        each(lambda d: d.p_coarse, 1),
        each(lambda d: d.p_equivalence, 1),
    )
    return [
        _verdict(str(word), difference, len(differences), *numbers)
        for word, difference, *numbers in zip(
            words, differences, p.tolist(), p_equivalence.tolist(), strict=True
        )
    ]


def _verdict(
    word: str, difference: PairedDifference | None, family: int, p: float, p_equivalence: float
) -> Verdict:
    if difference is None:
        return Verdict(word, 'no seed in common')
    if word == NO_VERDICT:
        return Verdict(word, f'n = {difference.n}, {NEEDED}')
    over = f' after Holm over {family} comparisons' if family > 1 else ''
    least = least_difference(difference.std, difference.n, family, first=difference.first)
    if word == EQUAL:
        word = f'{EQUAL} within {difference.margin:g}'
        reason = f'p {p_text(p_equivalence)} of two one-sided t tests{over}'
        reason += f'; the difference is clear all the same, p {p_text(p)}' if p < LEVEL else ''
    elif difference.std == 0:
        reason = f'the same difference with all {difference.n} seeds, so nothing tells how far chance reaches'
    else:
        reason = f'p {p_text(p)}{over}'
        reason += f'; {least:.2f} could have shown' if word == NOT_DECIDED else ''
    equivalent = None if difference.margin is None else p_equivalence
    return Verdict(word, reason, p, equivalent, least or None)


def p_text(p: float) -> str:
    """Write a p value: '= 0.031', '< 0.001'."""
    return f'= {p:.3f}' if p >= 0.001 else '< 0.001'
