"""Whether a training was still improving when it ended (the other caveats: test_compare.py)."""

import numpy as np
import pytest

from attn_plugins.benchmark.report.caveats import was_improving


def curve(length: float, n: int = 24, noise: float = 0.3, seed: int = 0) -> list[float]:
    """A score that comes closer to 70 by the factor e every `1 / length` of the training."""
    t = np.linspace(1 / n, 1, n)
    return list(70 * (1 - np.exp(-length * t)) + np.random.default_rng(seed).normal(0, noise, n))


@pytest.mark.parametrize('seed', range(20))
def test_curves(seed):
    assert was_improving(curve(1, seed=seed)) and was_improving(curve(2, seed=seed))
    assert not was_improving(curve(8, seed=seed)) and not was_improving(curve(20, seed=seed))


def test_noise_alone_is_taken_for_improvement_as_seldom_as_the_test_says():
    marked = sum(was_improving(curve(20, noise=3.0, seed=seed)) for seed in range(400))
    assert marked < 0.08 * 400, 'level 0.05, three standard errors'


def test_a_step_of_the_learning_rate_before_the_last_quarter_is_no_improvement_at_the_end():
    assert not was_improving([50.0, 55, 57, 58, 58.2, 58.1, 58.3, 70, 70.1, 70.0, 70.2, 70.1])


def test_too_few_validations_tell_nothing():
    assert was_improving([1.0, 2, 3, 4, 5]) is None
    assert was_improving([1.0, 2, 3, 4, 5, 6]) is True


@pytest.mark.parametrize('scores', [[5.0] * 8, [9.0, 8, 7, 6, 5, 4, 3, 2], [0.0] * 7 + [9.0]])
def test_what_does_not_rise_or_rises_once(scores):
    assert was_improving(scores) is False
