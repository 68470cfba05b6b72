"""Seeds that are added by the spread of the first ones, and never by the difference."""

import pytest

from attn_plugins.benchmark.report.compare import compare
from attn_plugins.benchmark.results import read_results
from attn_plugins.benchmark.seeds import MoreSeeds, seeds_wanted
from attn_plugins.benchmark.suite import read_suite
from attn_plugins.errors import UserError
from tests.benchmark.test_scheduler import finish

RULE = dict(first=5, most=12, until_half_width=1.0)
# Differences with standard deviation 1: t(0.975, 4) = 2.776, so ceil(2.776^2) = 8 seeds.
SPREAD = [0.0, 1.26491106, -1.26491106, 0.63245553, -0.63245553]


def toy(project, **changes):
    return project.suite(**(dict(seeds=RULE, configs=dict(a=dict(config='toy.py'))) | changes))


def put(project, suite, gain: float, seeds: range = range(5)) -> None:
    for run in suite.runs:
        if run.seed in seeds:
            more = gain + (SPREAD[run.seed] if run.seed < 5 else 0) if run.preset_name == 'ca' else 0
            project.put_result(run, 50.0 + run.seed + more)


def states(suite) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for state in read_results(suite):
        if state.run.preset_name == 'ca':
            found.setdefault(state.state, []).append(state.run.seed)
    return found


def test_the_first_seeds_are_trained_and_the_others_wait_for_their_spread(project):
    suite = read_suite(toy(project))
    assert len(suite.runs) == 24
    assert states(suite) == dict(waiting=[0, 1, 2, 3, 4], undecided=[5, 6, 7, 8, 9, 10, 11])
    put(project, suite, 0.0)
    assert states(suite) == {'finished': [0, 1, 2, 3, 4], 'waiting': [5, 6, 7], 'not needed': [8, 9, 10, 11]}


@pytest.mark.parametrize('gain', [-30.0, 0.4, 30.0])
def test_the_difference_itself_has_no_part_in_it(project, gain):
    suite = read_suite(toy(project))
    put(project, suite, gain)
    assert states(suite)['waiting'] == [5, 6, 7]


def test_no_more_than_the_most_and_no_fewer_than_the_first(project):
    suite = read_suite(toy(project, seeds=dict(RULE, until_half_width=0.5)))
    put(project, suite, 1.0)
    assert states(suite)['waiting'] == [5, 6, 7, 8, 9, 10, 11]
    suite = read_suite(toy(project, seeds=dict(RULE, until_half_width=9)))
    assert states(suite) == {'finished': [0, 1, 2, 3, 4], 'not needed': [5, 6, 7, 8, 9, 10, 11]}


def test_a_first_seed_that_failed_or_diverged_is_waited_for_no_longer(project):
    suite = read_suite(toy(project))
    put(project, suite, 0.0, range(4))
    failed = [run for run in suite.runs if run.seed == 4]
    assert 'undecided' in states(suite)
    for run in failed:
        project.put_failure(run, 'train: out of memory')
    assert states(suite)['failed'] == [4] and 'undecided' not in states(suite)


def test_what_a_wanted_run_starts_from_is_wanted_too(project):
    configs = dict(
        source=dict(config='toy.py', seeds=dict(RULE, until_half_width=9)),
        target=dict(config='toy.py', weights_from=dict(backbone='source'), seeds=list(range(7))),
    )
    suite = read_suite(project.suite(configs=configs))
    put(project, suite, 0.0)
    found = {s.run.name: s.state for s in read_results(suite) if s.run.preset_name == 'ca'}
    assert [found[f'source/ca/seed{seed}'] for seed in (5, 6, 7)] == ['waiting', 'waiting', 'not needed']


def test_a_suite_trains_no_more_than_it_needs_and_is_finished_then(project):
    """The stand-in's differences have no spread, so the first seeds are enough."""
    path = toy(project)
    said = finish(path)
    suite = read_suite(path)
    assert said.count('finished a/ca') == 5 and states(suite)['not needed'] == [5, 6, 7, 8, 9, 10, 11]
    assert 'started' not in finish(path)
    [comparison] = compare(suite, read_results(suite))
    assert comparison.presets[1].score.n == 5 and not comparison.presets[1].unfinished


def test_the_interval_is_that_of_two_stages(project):
    suite = read_suite(toy(project))
    put(project, suite, 0.0, range(8))
    [comparison] = compare(suite, read_results(suite))
    difference = comparison.pairs[0].difference
    assert difference.n == 8 and difference.first == 5
    assert difference.half_width == pytest.approx(2.7764 / 8**0.5, rel=1e-3)


def test_every_comparison_counts():
    rule = MoreSeeds(5, 1.0)
    none, ca, se = ({seed: 50 + k * SPREAD[seed] for seed in range(5)} for k in (0, 1, 2))
    scores = dict(none=none, ca=ca, se=se)
    assert seeds_wanted(rule, scores, [('ca', 'none')]) == 8
    assert seeds_wanted(rule, scores, [('ca', 'none'), ('se', 'none')]) == 31
    assert seeds_wanted(rule, scores, [('ca', 'absent')]) == 5


@pytest.mark.parametrize(
    'seeds, message',
    [
        (dict(until_half_width=1.0), "'seeds' lacks 'most'"),
        (dict(most=20), "'seeds' lacks 'until_half_width'"),
        (dict(most=5, until_half_width=1.0), 'has first: 5 and most: 5'),
        (dict(first=1, most=5, until_half_width=1.0), 'at least 2 and below the other'),
        (dict(most=20.5, until_half_width=1.0), 'give two whole numbers'),
        (dict(most=20, until_half_width=0), "'until_half_width' is in points and above 0, not 0"),
        (dict(most=20, until_half_width='1'), "'until_half_width' is in points and above 0, not '1'"),
        (dict(most=20, until_halfwidth=1), "unknown key 'until_halfwidth'"),
        ([0, 1, 0], "'seeds' names 0 twice"),
        ([0, -1], 'NumPy takes seeds from 0 to 4294967295'),
        (dict(most=9, until_half_width=float('inf')), 'in points and above 0, not inf'),
    ],
)
def test_rules_that_are_none(project, seeds, message):
    with pytest.raises(UserError, match=message):
        read_suite(toy(project, seeds=seeds))
