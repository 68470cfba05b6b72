"""Numbers over seeds."""

import math

import pytest

from attn_plugins.benchmark.estimate import Estimate, estimate, paired_difference


def test_an_interval_by_hand():
    # Mean 2, standard deviation 1, t(0.975, 2) = 4.302653.
    three = estimate([1.0, 2.0, 3.0])
    half = 4.302653 / math.sqrt(3)
    assert (three.mean, three.std, three.n) == (2.0, 1.0, 3)
    assert three.interval == pytest.approx((2 - half, 2 + half), abs=1e-5)
    assert three.half_width == pytest.approx(half, abs=1e-5)
    assert not three.is_clear and estimate([11.0, 12.0, 13.0]).is_clear


def test_one_value_has_no_interval():
    one = estimate([5.0])
    assert (one.mean, one.n, one.std, one.interval, one.half_width) == (5.0, 1, None, None, None)
    assert not one.is_clear


def test_estimate_of_equal_values_is_a_point():
    point = estimate([3.0, 3.0])
    assert point.interval == (3.0, 3.0) and point.half_width == 0.0
    assert not point.is_clear and not estimate([0.0, 0.0]).is_clear  # nothing tells how far chance reaches
    assert not Estimate(math.nan, 1.0, 3, (math.nan, math.nan), math.nan, 0.0).is_clear
    assert estimate([]) is None


def test_differences_are_of_the_seeds_that_both_have():
    difference = paired_difference({0: 91.0, 1: 96.0, 3: 7.0}, {0: 90.0, 1: 94.0, 2: 92.0})
    assert (difference.mean, difference.n) == (1.5, 2)
    assert paired_difference({0: 91.0}, {1: 90.0}) is None
