"""Statistics, against numbers by hand, scipy on drawn data and statsmodels (tests/data/statsmodels_numbers.py)."""

import json
import math
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from attn_plugins.benchmark.statistics import (
    equivalence_p,
    estimate,
    holm,
    least_difference,
    mean_errors,
    paired_difference,
    score_step,
    seeds_needed,
    sign_flip_test,
    spread,
    t_test_p,
)

GOLDEN = json.loads((Path(__file__).parents[1] / 'data' / 'statsmodels.json').read_text())


def test_an_interval_by_hand():
    # Mean 2, standard deviation 1, t(0.975, 2) = 4.302653.
    three = estimate([1.0, 2.0, 3.0])
    half = 4.302653 / math.sqrt(3)
    assert (three.mean, three.std, three.n, three.median) == (2.0, 1.0, 3, 2.0)
    assert three.interval == pytest.approx((2 - half, 2 + half), abs=1e-5)
    assert three.half_width == pytest.approx(half, abs=1e-5)


def test_one_value_has_no_interval():
    one = estimate([5.0])
    assert (one.mean, one.n, one.median) == (5.0, 1, 5.0)
    assert (one.std, one.interval, one.half_width) == (None, None, None)
    difference = paired_difference({3: 5.0}, {3: 4.0}, margin=1.0)
    assert (difference.mean, difference.p_t, difference.p_sign_flip, difference.p_equivalence) == (
        1.0,
        None,
        None,
        None,
    )
    assert estimate([]) is None


@pytest.mark.parametrize('value', [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_never_enters_silently(value):
    with pytest.raises(ValueError, match='finite'):
        estimate([1.0, value])
    with pytest.raises(ValueError, match='finite'):
        estimate([value])
    with pytest.raises(ValueError, match='finite'):
        paired_difference({0: 1.0, 1: value}, {0: 1.0, 1: 2.0})
    assert paired_difference({0: 1.0, 1: value}, {0: 2.0}).n == 1, 'no pair, no part of it'


def test_differences_are_of_the_seeds_that_both_have():
    difference = paired_difference({0: 91.0, 1: 96.0, 3: 7.0}, {0: 90.0, 1: 94.0, 2: 92.0})
    assert (difference.mean, difference.n) == (1.5, 2)
    assert paired_difference({0: 91.0}, {1: 90.0}) is None


@pytest.mark.parametrize('n', [3, 5, 8, 12, 30])
def test_it_is_what_scipy_says_of_drawn_scores(n):
    rng = np.random.default_rng(n)
    shared = rng.normal(size=n)
    x, y = (60 + shared + rng.normal(size=n) for _ in range(2))
    found = paired_difference(dict(enumerate(x)), dict(enumerate(y)))
    test = stats.ttest_rel(x, y)
    assert found.p_t == pytest.approx(test.pvalue, rel=1e-9)
    interval = test.confidence_interval()
    assert found.interval == pytest.approx((interval.low, interval.high), rel=1e-9)
    assert found.correlation == pytest.approx(np.corrcoef(x, y)[0, 1])
    assert found.median == pytest.approx(np.median(x - y))
    # The step of scores that come in none is nothing beside their spread.
    assert found.p_coarse == pytest.approx(found.p_t, rel=0.05) and found.p_coarse >= found.p_t


@pytest.mark.parametrize('n', [2, 5, 9])
def test_sign_flips_are_all_of_them(n):
    values = np.random.default_rng(n).normal(0.3, 1, n)
    sums = [abs(np.dot(signs, values)) for signs in product((-1, 1), repeat=n)]
    found = sign_flip_test(values.tolist(), 1.0)
    assert found['flips'] == 2**n
    assert found['p_sign_flip'] == pytest.approx(np.mean([s >= abs(values.sum()) - 1e-6 for s in sums]))


def test_sign_flips_are_drawn_where_there_are_many_and_the_same_every_time():
    values = np.random.default_rng(0).normal(0.6, 1, 20).tolist()
    found = sign_flip_test(values, 1.0)
    assert found['flips'] == 99_999 and found == sign_flip_test(values, 1.0)
    # Two tests of the same thing that agree where there are many seeds.
    assert found['p_sign_flip'] == pytest.approx(stats.ttest_1samp(values, 0).pvalue, abs=0.01)


def test_the_least_p_of_five_seeds_is_one_in_sixteen():
    assert sign_flip_test([1.0, 2.0, 1.5, 0.7, 3.0], 10.0)['p_sign_flip'] == 0.0625


def as_float32(values) -> dict[int, float]:
    """Scores as torch hands them out."""
    return dict(enumerate(np.float32(values).astype(float).tolist()))


def test_differences_of_one_image_are_equal_though_float32_holds_them_apart():
    """218 and 216 of 240 images, 220 and 218, ...: two images each time, whose differences are not the same floats."""
    others = np.array([216, 218, 200, 231, 190])
    x, y = as_float32(100 * (others + 2) / 240), as_float32(100 * others / 240)
    assert len({x[seed] - y[seed] for seed in x}) > 1
    found = paired_difference(x, y, margin=50.0)
    assert (found.std, found.half_width, found.p_t, found.p_coarse, found.p_equivalence) == (0, 0, 1, 1, 1)
    # Ties are ties: all sums with seven equal values of one sign and one of the other.
    mixed = as_float32(100 * np.array([201, 206, 211, 216, 221, 226, 231, 229]) / 240)
    plain = as_float32(100 * np.array([200, 205, 210, 215, 220, 225, 230, 230]) / 240)
    assert paired_difference(mixed, plain).p_sign_flip == (2 + 16) / 256


def test_no_spread_has_no_correlation():
    flat = paired_difference({0: 1.0, 1: 2.0, 2: 4.0}, dict.fromkeys(range(3), 1.0))
    assert flat.correlation is None and flat.std > 0
    assert paired_difference({0: 1.0, 1: 2.0}, {0: 2.0, 1: 1.0}).correlation is None, 'two seeds'
    zeros = paired_difference(dict.fromkeys(range(3), 0.0), dict.fromkeys(range(3), 0.0))
    assert (zeros.std, zeros.p_t, zeros.p_sign_flip) == (0, 1, 1)


def test_the_step_of_scores_is_the_smallest_distance_between_two():
    scores, others = [100 * k / 240 for k in (200, 203, 203)], [100 * k / 240 for k in (201, 210, 205)]
    assert score_step(scores, others, 100.0) == pytest.approx(100 / 240)
    assert score_step([3.0, 3.0], [3.0, 3.0], 3.0) == 0
    assert score_step([3.0, 3.0], [3.0 + 1e-7, 4.0], 3.0) == pytest.approx(1), 'rounding is no step'
    # Variance 1 / 12 of a step for each of both scores.
    [(error, freedom)] = mean_errors([1.0, 2.0, 3.0], 3.0, step=1.0)
    assert (error, freedom) == (pytest.approx(math.sqrt((1 + 1 / 6) / 3)), 2)
    [(error, _)] = mean_errors([2.0, 2.0], 3.0, step=1.0)
    assert error == 0


def test_holm_is_statsmodels():
    assert holm(GOLDEN['holm']['p_values']) == pytest.approx(GOLDEN['holm']['adjusted'])
    both = holm([GOLDEN['holm']['p_values'], GOLDEN['holm']['p_values'][::-1]])
    assert both[1].tolist() == both[0][::-1].tolist()


@pytest.mark.parametrize('case', GOLDEN['equivalence'])
def test_equivalence_is_statsmodels(case):
    values = np.subtract(case['scores'], case['others'])
    found = equivalence_p(values.mean(), mean_errors(values, 60.0), case['margin'])
    assert found == pytest.approx(case['p'])
    pair = (dict(enumerate(case[key])) for key in ('scores', 'others'))
    assert paired_difference(*pair, margin=case['margin']).p_equivalence == pytest.approx(case['p'], rel=0.05)


@pytest.mark.parametrize('case', GOLDEN['power'])
def test_the_least_difference_is_statsmodels(case):
    found = least_difference(1.0, case['n'], case['comparisons'], case['power'])
    assert found == pytest.approx(case['difference'], rel=1e-5)
    assert least_difference(0.4, case['n'], case['comparisons'], case['power']) == pytest.approx(0.4 * found)


def test_the_least_difference_shows_in_four_of_five_cases():
    rng = np.random.default_rng(0)
    values = rng.normal(least_difference(2.0, 6, comparisons=5), 2.0, (4000, 6))
    p = t_test_p(values.mean(-1), mean_errors(values, 1.0))
    assert np.mean(5 * p < 0.05) == pytest.approx(0.8, abs=0.02)


def test_seeds_needed_is_steins_rule():
    # t(0.975, 4) = 2.776445: (2.776445 / 1)^2 = 7.7, (2 * 2.776445)^2 = 30.8.
    assert seeds_needed(np.array([0.0, 0.5, 1.0, 2.0]), 5, 1.0).tolist() == [5, 5, 8, 31]


def test_two_stages_do_not_inflate_errors_where_a_plain_test_does():
    """Equal models; seeds are added until the interval should be half of what five give."""
    rng = np.random.default_rng(0)
    values = rng.normal(0, 1, (6000, 60))
    needed = np.minimum(60, seeds_needed(spread(values[:, :5], 1.0), 5, 0.7))
    false = {'staged': 0, 'plain': 0}
    for n in np.unique(needed):
        group = values[needed == n, :n]
        for name, first in (('staged', 5), ('plain', None)):
            p = t_test_p(group.mean(-1), mean_errors(group, 1.0, first))
            false[name] += (p < 0.05).sum()
    # Standard error of 5 %: 0.28 %.
    assert false['staged'] / 6000 < 0.0585 and false['plain'] / 6000 > 0.065


def test_the_interval_of_two_stages():
    # s0 = 1 of the first three, t(0.975, 2) = 4.302653, all five; all spread less.
    values = [1.0, 2.0, 3.0, 2.0, 2.0]
    assert estimate(values, first=3).half_width == pytest.approx(4.302653 / math.sqrt(5), abs=1e-5)
    # A seed that the first stage has not seen the like of counts: t(0.975, 4) = 2.776445.
    values[-1] = 90.0
    whole = estimate(values)
    assert (
        estimate(values, first=3).half_width == whole.half_width > 2.7 * np.std(values, ddof=1) / math.sqrt(5)
    )
    scores, others = {4: 90.0, 0: 1.0, 1: 2.0, 2: 3.0, 3: 2.0}, dict.fromkeys(range(5), 0.0)
    found = paired_difference(scores, others, first_stage=[0, 1, 2])
    assert (found.first, found.half_width) == (3, whole.half_width)
    assert paired_difference(scores, others, first_stage=[4]).first is None
