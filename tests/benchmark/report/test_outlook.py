"""What a suite's seeds can show, before it starts."""

import pytest

from attn_plugins.benchmark.report.compare import compare
from attn_plugins.benchmark.report.summary import outlook
from attn_plugins.benchmark.results import read_results
from attn_plugins.benchmark.statistics import least_difference
from attn_plugins.benchmark.suite import read_suite


@pytest.fixture
def look(project):
    """Say what a suite of ca, se and none in the config `toy` can show, given the scores of finished runs."""

    def call(seeds: int | dict, scores=None, **changes) -> list[str]:
        configs = dict(toy=dict(config='toy.py'))
        seeds = list(range(seeds)) if isinstance(seeds, int) else seeds
        content = dict(seeds=seeds, presets=['none', 'ca', 'se'], configs=configs)
        suite = read_suite(project.suite(**dict(content, **changes)))
        for run in suite.runs:
            if (run.preset_name, run.seed) in (scores or {}):
                project.put_result(run, scores[run.preset_name, run.seed])
        return outlook(suite, compare(suite, read_results(suite)))

    return call


def test_fewer_than_five_seeds_give_no_verdict(look):
    assert look(1) == ['toy: 1 seed gives no verdict: five seeds are needed']
    assert look(3, spread=0.5) == ['toy: 3 seeds give no verdict: five seeds are needed']


def test_by_the_declared_spread(look):
    least = least_difference(0.5, 6, comparisons=2)
    assert look(6, spread=0.5) == [
        f'toy: 6 seeds and 2 comparisons show, in four of five cases, a difference of {least:.2f} points (spread 0.5 '
        'as declared)'
    ]
    assert '6 seeds and 1 comparison show' in look(6, spread=0.5, comparisons=['ca'])[0]


def test_by_results_that_are_there(look):
    """Differences 1, 2, 3 and 2, 4, 6: standard deviations 1 and 2; two seeds of another preset would tell nothing."""
    scores = {
        (preset, seed): 90.0 + k * (seed + 1)
        for k, preset in enumerate(('none', 'ca', 'se'))
        for seed in range(3)
    }
    few = {key: score for key, score in scores.items() if key[1] < 2}
    assert 'times its spread' in look(6, few)[0]
    assert look(6, scores) == [
        'toy: 6 seeds and 2 comparisons show, in four of five cases, a difference of '
        f'{least_difference(1.5, 6, 2):.2f} points (spread 1.5 of the results that are there)'
    ]


def test_without_a_spread_in_units_of_it_and_once_for_all_that_are_alike(look):
    configs = dict(
        a=dict(config='toy.py'), b=dict(config='toy.py'), c=dict(config='toy.py', presets=['ca'], seeds=[3])
    )
    assert look(5, configs=configs) == [
        'a; b: 5 seeds and 4 comparisons show, in four of five cases, a difference of '
        f'{least_difference(1.0, 5, 4):.1f} times its spread over seeds (declare it: spread: 0.5)'
    ]


def test_a_rule_that_adds_seeds(look):
    rule = dict(first=5, most=20, until_half_width=0.5)
    (said,) = look(rule, spread=0.5)
    assert said.startswith(
        'toy: 5 to 20 seeds, until intervals reach 0.5 to each side; 8 seeds and 2 comparisons show'
    )
    assert '; 20 seeds and' in look(rule, spread=5)[0]
    assert '; 5 seeds and' in look(rule)[0]
