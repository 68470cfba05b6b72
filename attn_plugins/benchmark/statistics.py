"""Computes means over seeds, paired differences, their tests and intervals, and how many seeds show what.

Functions of arrays act along the last axis, so that `.dev_scripts/simulate_verdicts.py` sends thousands of drawn suites
through them.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median

import numpy as np
from scipy import special, stats

LEVEL = 0.05
POWER = 0.8
# Sign flips that are drawn where there are more; up to 16 seeds all are taken.
FLIPS = 99_999
# Scores come as float32: what differs by less than this share of them is equal.
ROUNDING = 1e-6
# Standard error of a mean, and its degrees of freedom.
Error = tuple[np.ndarray, int]


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds. With one seed there are mean, n and median alone, and the others are None.

    Attributes:
        mean: The mean.
        std: Standard deviation, n - 1 in the denominator; 0 where all values are equal up to the rounding of float32.
        n: How many seeds.
        interval: The 95 % t interval of the mean.
        half_width: Half of the interval's width.
        median: The median, which some papers print.
    """

    mean: float
    std: float | None
    n: int
    interval: tuple[float, float] | None
    half_width: float | None
    median: float

    @property
    def is_clear(self) -> bool:
        """Whether the interval excludes zero; one without width does not, as it says nothing of chance."""
        if not self.half_width or not math.isfinite(self.half_width):
            return False
        return not self.interval[0] <= 0 <= self.interval[1]


@dataclass(frozen=True)
class PairedDifference(Estimate):
    """The mean difference of two models' scores with the same seeds, and its tests; with one seed p values are None.

    Attributes:
        correlation: Pearson's, of the two lists of scores, which pairing lives on; None with fewer than three seeds or
            without spread.
        p_t: Two-sided p value of the paired t test; 1 without spread, see `t_test_p`.
        p_sign_flip: Two-sided p value of the sign-flip test.
        flips: How many sign flips it rests on: all 2^n, or as many as were drawn.
        p_coarse: As `p_t`, with the step of the scores as a further error (`mean_errors`); verdicts rest on it.
        p_equivalence: p value of the difference lying within `margin` (`equivalence_p`), with the same errors; None
            without margin.
        margin: What difference does not matter, as declared.
        first: How many seeds were there before others were added by their spread (`seeds_needed`); None where all were
            from the start.
        above, below: How many seeds have a difference above zero, and below it; one within rounding is neither.
    """

    correlation: float | None
    p_t: float | None
    p_sign_flip: float | None
    flips: int | None
    p_coarse: float | None
    p_equivalence: float | None
    margin: float | None
    first: int | None
    above: int
    below: int


def estimate(
    values: Sequence[float], first: int | None = None, scale: float | None = None
) -> Estimate | None:
    """Estimate the mean of values over seeds.

    Args:
        values: The values; those of the first stage stand first.
        first: How many the first stage has, by whose spread the others were added (`seeds_needed`).
        scale: Size of the scores that the values come from, for their rounding; by default of the values.

    Returns:
        Estimate | None: None without values.

    Raises:
        ValueError: A value is not finite.
    """
    if not all(map(math.isfinite, values)):
        raise ValueError(f'a mean needs finite values, not {list(values)}')
    if len(values) < 2:
        return Estimate(values[0], None, 1, None, None, values[0]) if values else None
    scale = max(map(abs, values)) if scale is None else scale
    mean = fmean(values)
    half = max(
        float(stats.t.ppf(1 - LEVEL / 2, freedom) * error)
        for error, freedom in mean_errors(values, scale, first)
    )
    std = float(spread(values, scale))
    return Estimate(mean, std, len(values), (mean - half, mean + half), half, median(values))


def paired_difference(
    scores: Mapping[int, float],
    others: Mapping[int, float],
    margin: float | None = None,
    first_stage: Collection[int] = (),
) -> PairedDifference | None:
    """Compare scores with others of the same seeds.

    Args:
        scores: Seed -> score.
        others: Seed -> score of what is subtracted.
        margin: What difference does not matter, if that is declared.
        first_stage: Its seeds, where others were added by the spread of these.

    Returns:
        PairedDifference | None: Scores minus others; None where they have no seed in common.

    Raises:
        ValueError: A score of a common seed is not finite.
    """
    seeds = sorted((seed for seed in scores if seed in others), key=lambda seed: seed not in first_stage)
    pairs = np.array([(scores[seed], others[seed]) for seed in seeds], float).reshape(-1, 2).T
    values = (pairs[0] - pairs[1]).tolist()
    scale = float(np.abs(pairs).max(initial=0))
    first = sum(seed in first_stage for seed in seeds)
    first = first if first > 1 else None  # one has no spread
    whole = estimate(values, first, scale)
    if whole is None:
        return None
    tests = dict.fromkeys(('correlation', 'p_t', 'p_sign_flip', 'flips', 'p_coarse', 'p_equivalence'))
    if whole.n > 1:
        coarse = mean_errors(values, scale, first, score_step(*pairs, scale))
        tests |= sign_flip_test(values, scale)
        tests['p_t'] = float(t_test_p(whole.mean, mean_errors(values, scale, first)))
        tests['p_coarse'] = float(t_test_p(whole.mean, coarse))
        if margin is not None:
            tests['p_equivalence'] = float(equivalence_p(whole.mean, coarse, margin))
    if whole.n > 2 and all(spread(pairs, scale)):
        tests['correlation'] = float(stats.pearsonr(*pairs).statistic)
    above, below = (sum(sign * value > ROUNDING * scale for value in values) for sign in (1, -1))
    return PairedDifference(**vars(whole), **tests, margin=margin, first=first, above=above, below=below)


def spread(values: np.ndarray, scale: float) -> np.ndarray:
    """Take the standard deviation, 0 where the values of scores of that size are equal up to rounding."""
    return np.where(np.ptp(values, -1) <= ROUNDING * scale, 0.0, np.std(values, -1, ddof=1))


def score_step(scores: np.ndarray, others: np.ndarray, scale: float) -> np.ndarray:
    """Find the smallest distance between two scores, as one image of the test; 0 where all are equal."""
    ordered = np.sort(np.concatenate([scores, others], -1), -1)
    gaps = np.diff(ordered, axis=-1)
    step = np.where(gaps > ROUNDING * scale, gaps, np.inf).min(-1)
    return np.where(np.isfinite(step), step, 0.0)


def mean_errors(
    values: np.ndarray, scale: float, first: int | None = None, step: np.ndarray | float = 0.0
) -> list[Error]:
    """Compute the standard errors of a mean; a test or an interval must hold with each of them.

    sqrt((s^2 + step^2 / 6) / n), s the standard deviation of the values, with n - 1 degrees of freedom. Where there was
    a first stage also the same with its s0 and n0 - 1 (Stein 1945). That one alone is exact for normal values, and
    fails where seeds collapse that the first stage has not seen.

    Scores that come in steps, as 1 / 240 of the images or box mAP to the third digit, differ from what they stand for
    by up to half of one, which is a variance of step^2 / 12 for each of the two (JCGM 100:2008, F.2.2.1). Without it,
    equal models that spread over one step or two are said to differ in up to 6 % of suites in place of 5 %
    (docs/benchmarks/verdicts.md).

    Args:
        values: The values, (..., n); those of the first stage stand first.
        scale: Size of the scores, for their rounding.
        first: How many the first stage has.
        step: Of the scores (`score_step`).
    """
    n = np.shape(values)[-1]
    parts = [values] if first is None else [values, np.asarray(values)[..., :first]]
    errors = []
    for part in parts:
        std = spread(part, scale)
        error = np.sqrt((std**2 + np.square(step) / 6) / n)
        errors.append((np.where(std > 0, error, 0.0), np.shape(part)[-1] - 1))
    return errors


def t_test_p(mean: np.ndarray, errors: Sequence[Error]) -> np.ndarray:
    """Test whether a mean is zero: the two-sided p value 2 P(T > |mean| / error), the greatest of all errors.

    Without spread it is 1: differences that agree to the last image come by chance, with two seeds, 240 images and 95 %
    of them right in 5 % of pairs of equal models (simulated), and nothing tells how far chance reaches.
    """
    return _greatest(errors, lambda error, freedom: 2 * stats.t.sf(np.abs(mean) / error, freedom))


def equivalence_p(mean: np.ndarray, errors: Sequence[Error], margin: np.ndarray | float) -> np.ndarray:
    """Test whether a mean lies within a margin of zero, by two one-sided t tests.

    p = P(T > (margin - |mean|) / error), the greater of the two.

    Source: Schuirmann 1987, Journal of Pharmacokinetics and Biopharmaceutics 15:657. Without spread it is 1, as in
    `t_test_p`.
    """
    return _greatest(errors, lambda error, freedom: stats.t.sf((margin - np.abs(mean)) / error, freedom))


def _greatest(errors: Sequence[Error], p_value) -> np.ndarray:
    with np.errstate(divide='ignore', invalid='ignore'):
        return np.max([np.where(error > 0, p_value(error, freedom), 1.0) for error, freedom in errors], 0)


def sign_flip_test(differences: Sequence[float], scale: float) -> dict:
    """Test whether a mean is zero, asking only that differences of equal models are as likely above zero as below.

    The share of sign flips with a mean at least as far from zero: of all 2^n flips up to 16 values, else of those drawn
    (seed 0).
    Source: Fisher 1935, The Design of Experiments, section 21.

    Returns:
        dict: `p_sign_flip`, two-sided, and `flips`, how many it rests on.
    """
    # Differences that rounding alone holds apart are ties.
    values = np.round(np.asarray(differences) / (10 * ROUNDING * (scale or 1.0)))
    test = stats.permutation_test(
        (values,), np.mean, permutation_type='samples', n_resamples=FLIPS, axis=-1, rng=0
    )
    return dict(p_sign_flip=float(test.pvalue), flips=len(test.null_distribution))


def holm(p_values: np.ndarray) -> np.ndarray:
    """Adjust the p values of a family so that any false one falls below a level with no more than that probability.

    The i-th smallest of m becomes the greatest of (m - j + 1) p_j over j <= i, and at most 1.
    Source: Holm 1979, Scandinavian Journal of Statistics 6:65.
    """
    p_values = np.asarray(p_values, float)
    order, m = p_values.argsort(-1), p_values.shape[-1]
    stepped = np.take_along_axis(p_values, order, -1) * np.arange(m, 0, -1)
    adjusted = np.empty_like(p_values)
    np.put_along_axis(adjusted, order, np.minimum(np.maximum.accumulate(stepped, -1), 1.0), -1)
    return adjusted


def least_difference(
    std: float,
    n: int,
    comparisons: int = 1,
    power: float = POWER,
    level: float = LEVEL,
    first: int | None = None,
) -> float:
    """Compute the smallest true difference that n seeds show with that power by a paired t test at level / comparisons.

    nc std / sqrt(n), with the noncentrality nc of the t distribution that exceeds t(1 - level / (2 comparisons)) with
    that power; both have n - 1 degrees of freedom, or those of the first stage.

    Args:
        std: Standard deviation of the paired differences, in whose units the result is.
        n: How many seeds.
        comparisons: How many are in the family; Holm's first step divides the level by it.
        power: How often it shows.
        level: Of false verdicts in the whole family.
        first: How many seeds the first stage has, if there was one.
    """
    freedom = (first or n) - 1
    critical = stats.t.isf(level / comparisons / 2, freedom)
    return float(special.nctdtrinc(freedom, 1 - power, critical) * std / math.sqrt(n))


def seeds_needed(std: np.ndarray, first: int, half_width: float) -> np.ndarray:
    """Compute how many seeds give the 95 % interval a half-width, from the spread of the first ones.

    n = max(n0, ceil((t(0.975, n0 - 1) s0 / half_width)^2)). The rule looks at the spread and never at the mean, so it
    does not inflate errors, as long as the interval is that of two stages (`first=` here).
    Source: Stein 1945, Annals of Mathematical Statistics 16:243.

    Args:
        std: Standard deviation s0 of the paired differences of the first stage.
        first: How many seeds n0 the first stage has.
        half_width: Wanted half of the interval's width, in units of `std`.
    """
    wanted = np.ceil((stats.t.ppf(1 - LEVEL / 2, first - 1) * np.asarray(std) / half_width) ** 2)
    return np.maximum(first, wanted).astype(int)
