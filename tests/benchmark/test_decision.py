"""The rule of the verdict, and that it is seldom wrong (docs/benchmarks/verdicts.md has the whole table)."""

import numpy as np
import pytest

from attn_plugins.benchmark.decision import Verdict, decide, verdicts
from attn_plugins.benchmark.statistics import mean_errors, paired_difference, score_step, t_test_p


def differences(values, margin=None, first=()):
    """The difference of scores that are these values to scores of zero; the first are the first stage."""
    return paired_difference(dict(enumerate(values)), dict.fromkeys(range(len(values)), 0.0), margin, first)


def test_the_words_in_their_order():
    words, p, equivalent = decide(
        np.array([5, 5, 5, 5, 4]),
        np.array([1.0, -1.0, 1.0, 1.0, 1.0]),
        np.array([0.001, 0.002, 0.003, 0.5, 0.0]),
        np.array([1.0, 1.0, 0.001, 1.0, 0.0]),
    )
    assert words.tolist() == ['better', 'worse', 'equal', 'not decided', 'no verdict']
    # What has too few seeds is in the family, with p = 1.
    assert p.tolist() == pytest.approx([0.005, 0.008, 0.009, 1, 1])
    assert equivalent.tolist() == pytest.approx([1, 1, 0.005, 1, 1])


def test_what_a_verdict_rests_on():
    clear = differences([2.1, 1.9, 2.05, 2.0, 1.95], margin=3.0)
    wide = differences([1.0, -1.5, 0.4, -0.6, 0.9])
    said = verdicts([clear, wide, differences([1.0, 2.0]), None])
    assert [v.word for v in said] == ['equal within 3', 'not decided', 'no verdict', 'no verdict']
    assert said[0].reason == (
        'p < 0.001 of two one-sided t tests after Holm over 4 comparisons; the difference is clear all the same, '
        'p < 0.001'
    )
    assert said[1].reason.startswith('p = 1.000 after Holm over 4 comparisons; ')
    assert said[1].reason.endswith(f'; {said[1].least_difference:.2f} could have shown')
    assert said[2] == Verdict('no verdict', 'n = 2, five seeds are needed')
    assert said[3] == Verdict('no verdict', 'no seed in common')
    assert said[1].p_equivalence_holm is None, 'no margin'
    [alone] = verdicts([wide])
    assert 'Holm' not in alone.reason and alone.least_difference < said[1].least_difference
    assert verdicts([]) == []


def test_without_spread_nothing_is_decided():
    """Not even equality, though all differences are zero."""
    for value in (0.0, 1.25):
        [said] = verdicts([differences([value] * 8, margin=5.0)])
        assert said.word == 'not decided' and said.least_difference is None
        assert said.reason == 'the same difference with all 8 seeds, so nothing tells how far chance reaches'


def test_two_stages_ask_for_more():
    values = [1.0, 0.2, 0.7, 1.4, 0.5, 0.9, 0.6]
    [fixed], [staged] = verdicts([differences(values)]), verdicts([differences(values, first=range(5))])
    assert staged.p_holm > fixed.p_holm and staged.least_difference > fixed.least_difference


def test_scores_in_coarse_steps_do_not_make_false_verdicts():
    """Box mAP to 0.1 that spreads over about 0.1: a t test alone is wrong in 6 % of 8 seeds."""
    rng = np.random.default_rng(0)
    shape = (30_000, 8)
    offset = rng.random((shape[0], 1))
    x, y = (np.round(rng.normal(0, 0.8, shape) + offset) / 10 for _ in range(2))
    mean, false = (x - y).mean(-1), {}
    for name, step in (('plain', 0.0), ('coarse', score_step(x, y, 100.0))):
        p = t_test_p(mean, mean_errors(x - y, 100.0, step=step))
        words = decide(np.full((shape[0], 1), 8), mean[:, None], p[:, None], np.ones((shape[0], 1)))[0]
        false[name] = np.isin(words, ('better', 'worse')).mean()
    assert false['plain'] > 0.055 and false['coarse'] < 0.05


@pytest.mark.parametrize('family', [1, 10])
def test_equal_models_are_seldom_told_to_differ(family):
    rng = np.random.default_rng(0)
    scores = rng.binomial(240, 0.95, (4000, 1 + family, 5)) / 2.4
    x, y = np.broadcast_arrays(scores[:, 1:], scores[:, :1])
    p = t_test_p((x - y).mean(-1), mean_errors(x - y, 100.0, step=score_step(x, y, 100.0)))
    words = decide(np.full(p.shape, 5), (x - y).mean(-1), p, np.ones_like(p))[0]
    # Standard error of 5 %: 0.34 %.
    assert 0.02 < np.isin(words, ('better', 'worse')).any(-1).mean() < 0.06
