"""Whether a training had come to rest when it ended, from its validations."""

from collections.abc import Sequence

from scipy.stats import linregress

# Validations from which on a curve tells anything; the last part of them that is looked at, at least as many of them.
LEAST = 6
PART, LEAST_IN_PART = 0.25, 3
# A rise over the last part that is larger than this share of the whole rise is one.
SHARE = 0.05
# The level of the test that there is a slope at all.
LEVEL = 0.05


def was_improving(scores: Sequence[float]) -> bool | None:
    """Whether scores were still rising over the last quarter of a training's validations; None of fewer than six.

    Equation:
        b = the slope of the least-squares line through the last quarter, n_q = max(3, n / 4) validations
        improving = the one-sided t test of b > 0 has p < 0.05, and b (n_q - 1) > 0.05 (max_i y_i - y_1)

    Args:
        scores (Sequence[float]): The metric, higher is better, at validations that are equally far apart.
    """
    if len(scores) < LEAST:
        return None
    last = scores[-max(LEAST_IN_PART, round(PART * len(scores))) :]
    whole = max(scores) - scores[0]
    if whole <= 0 or max(last) == min(last):
        return False
    line = linregress(range(len(last)), last, alternative='greater')
    return bool(line.pvalue < LEVEL and line.slope * (len(last) - 1) > SHARE * whole)
