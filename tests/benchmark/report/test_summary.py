"""Verdicts: what the comparisons of a suite allow to say, in words."""

import pytest

from attn_plugins.benchmark.report.summary import verdict

SEEDS = range(5)
# Of five seeds; what is added to them has a spread of its own.
PLAIN = [90.0, 90.7, 89.6, 90.2, 91.1]
NOISE = [0.1, -0.1, 0.05, 0.0, -0.05]


def scores(**gains: list[float]) -> dict[tuple[str, int], float]:
    """Scores of the plain model, and of presets with these gains over it."""
    gains = dict(none=[0.0] * 5, **gains)
    return {
        (preset, seed): PLAIN[seed] + gain for preset, row in gains.items() for seed, gain in enumerate(row)
    }


def far(by: float) -> list[float]:
    return [by + noise for noise in NOISE]


def said(project, drawn, seeds=SEEDS, **changes) -> str:
    return verdict(project.compare(drawn, list(seeds), **changes))


def test_one_seed_shows_no_gain(project):
    assert said(project, {('none', 0): 90.0, ('ca', 0): 99.0}, [0]) == (
        '1 comparison: 1 has no verdict (n = 1; five seeds are needed). One seed shows no gain: it does not tell how '
        'much the result moves from seed to seed.'
    )


@pytest.mark.parametrize('n', [2, 3, 4])
def test_fewer_than_five_seeds_have_no_verdict(project, n):
    few = {key: score for key, score in scores(ca=far(20.0)).items() if key[1] < n}
    assert said(project, few, range(n)) == f'1 comparison: 1 has no verdict (n = {n}; five seeds are needed).'


def test_what_has_no_verdict_is_said_by_the_side_of_its_means(project):
    few = {key: score for key, score in scores(ca=far(20.0), se=far(-1.0)).items() if key[1] < 3}
    two = {name: dict(config='toy.py') for name in ('a', 'b')}
    text = said(project, few, range(3), configs=two)
    assert text.endswith(
        ' By their means, which decide nothing: ca above none in 2 of 2 comparisons; '
        'se below none in 2 of 2 comparisons.'
    )
    alone = {key: score for key, score in few.items() if key[1] < 1}
    assert 'By their means' not in said(project, alone, [0], configs=two)


def test_better_worse_and_not_decided_are_said_of_the_whole_suite(project):
    drawn = scores(ca=far(2.0), se=far(-3.0), eca=[1.0, -1.5, 0.4, -0.6, 0.9])
    text = said(project, drawn)
    assert text.startswith(
        '3 comparisons: 1 is better (toy/ca minus none +2.00), 1 is worse (toy/se minus none -3.00), 1 is not decided ('
    )
    assert text.endswith(' could have shown).')


def test_what_one_comparison_shows_is_not_decided_among_many(project):
    """p = 0.019 of one comparison; Holm asks for a fifth of 0.05 among five."""
    clear = [1.0, 0.2, 0.7, 1.4, 0.5]
    assert '1 is better' in said(project, scores(ca=clear))
    others = {name: [0.1, -0.2, 0.3, -0.1, 0.2] for name in ('se', 'eca', 'simam', 'sge')}
    assert '5 are not decided' in said(project, scores(ca=clear, **others))


def test_equal_within_a_declared_margin(project):
    drawn = scores(ca=far(0.3), se=far(2.0), eca=[1.0, -1.5, 0.4, -0.6, 0.9])
    text = said(project, drawn, margin=1.0)
    assert '1 is equal within 1 (toy/ca minus none +0.30)' in text
    assert '1 is better (toy/se minus none +2.00)' in text and '1 is not decided' in text
    assert '1 is better (toy/ca' not in text, 'the margin comes first'
    assert 'equal' not in said(project, drawn)


def test_differences_without_spread_decide_nothing(project):
    assert said(project, scores(ca=[5.0] * 5)) == '1 comparison: 1 is not decided.'


def test_a_preset_is_compared_with_its_controls_too(project):
    drawn = scores(ca=far(2.0), se=[2.1, 2.0, 2.05, 1.8, 2.2])
    text = said(project, drawn, controls=dict(ca=['se']))
    assert text.startswith(
        '3 comparisons: 2 are better (toy/ca minus none +2.00; toy/se minus none +2.03), 1 is not decided'
    )


def test_declared_comparisons_alone_have_verdicts(project):
    drawn = scores(ca=far(2.0), se=[1.1, 1.0, 0.9, 1.05, 0.95], eca=far(-1.0))
    text = said(project, drawn, comparisons=['ca', ['se', 'eca']], controls=dict(ca=['eca']))
    assert text == (
        '2 comparisons: 2 are better (toy/ca minus none +2.00; toy/se minus eca +2.00). 3 more are exploratory and '
        'have no verdict.'
    )


def test_seeds_without_a_finite_score_are_said(project):
    drawn = scores(ca=far(2.0)) | {('ca', 5): float('nan'), ('none', 5): 90.0}
    text = said(project, drawn, range(6))
    assert text == (
        '1 comparison: 1 is better (toy/ca minus none +2.00). toy/ca: 1 of 6 seeds without a finite score; its '
        'comparisons rest on the others, which favours it.'
    )


def test_a_verdict_before_all_runs_have_finished_says_so(project):
    text = said(project, scores(ca=far(2.0)), range(6))
    assert text == (
        '1 comparison: 1 is better (toy/ca minus none +2.00). Not all runs have finished; this is said of those that '
        'have.'
    )
    assert 'Not all' not in said(project, scores(ca=far(2.0)))


def test_nothing_is_said_before_a_pair_has_finished(project):
    assert (
        said(project, {('none', 0): 90.0, ('ca', 1): 99.0}, [0, 1])
        == 'There is no finished pair to compare yet.'
    )


def test_what_several_presets_share_is_said_once(project, monkeypatch):
    drawn = {(preset, seed): 90.0 + seed for preset in ('none', 'ca', 'se') for seed in range(3)} | {
        ('ca', 2): float('nan')
    }
    text = said(project, drawn, range(3))
    assert text.count('without a finite score') == 1
    drawn[('se', 2)] = float('nan')
    text = said(project, drawn, range(3))
    assert 'toy/ca, toy/se: 1 of 3 seeds without a finite score; its comparisons rest on the others' in text
