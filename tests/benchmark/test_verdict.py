"""Verdicts: what the differences allow to say."""

from attn_plugins.benchmark.verdict import verdict


def test_one_seed_shows_no_gain(project):
    assert 'One seed shows no gain' in verdict(project.compare({('none', 0): 90.0, ('ca', 0): 99.0}, [0]))


def test_a_difference_within_its_interval_is_not_named(project):
    scores = {('none', 0): 90.0, ('none', 1): 94.0, ('none', 2): 92.0}
    scores |= {('ca', 0): 91.0, ('ca', 1): 96.0, ('ca', 2): 95.0}
    assert 'for none of 1 comparison' in verdict(project.compare(scores, [0, 1, 2]))


def test_a_clear_difference_is_named(project):
    scores = {(p, s): 90.0 + s / 10 + (p == 'ca') * (2 + s / 100) for p in ('none', 'ca') for s in range(3)}
    text = verdict(project.compare(scores, [0, 1, 2]))
    assert 'toy/ca (+2.01) of 1 comparison' in text
    assert 'One seed shows no gain' not in text


def test_each_control_is_told_apart_or_not(project):
    """ca is above se by 2 with hardly a spread, above eca by 0, 1, 2, and shares one seed with simam and none with srm."""
    near = {0: 2.01, 1: 2.0, 2: 1.99}
    scores = {}
    for seed in range(3):
        scores |= {
            ('none', seed): 90.0,
            ('ca', seed): 93.0,
            ('se', seed): 93.0 - near[seed],
            ('eca', seed): 93.0 - seed,
        }
    scores |= {('simam', 0): 92.5, ('srm', 7): 90.0}
    controls = dict(ca=['se', 'eca', 'simam', 'srm'])
    text = verdict(project.compare(scores, [0, 1, 2, 7], controls=controls))
    # Differences 0, 1, 2: half of the interval is 4.302653 / sqrt(3) = 2.48.
    assert text.endswith(
        'Against its controls, toy/ca is told apart from se (+2.00); it is not told apart from eca (+1.00, where 2.48 could '
        'have been shown); it has one seed (n = 1), which tells it apart from nothing, in common with simam (+0.50); it has '
        'no finished seed yet in common with srm.'
    )


def test_no_word_of_controls_where_there_are_none(project):
    assert 'controls' not in verdict(project.compare({('none', 0): 90.0, ('ca', 0): 99.0}, [0]))
