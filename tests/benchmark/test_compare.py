"""Comparisons, against numbers computed by hand."""

import math

import pytest

from attn_plugins.benchmark.compare import compare, estimate, verdict
from attn_plugins.benchmark.metrics import headline
from attn_plugins.benchmark.record import read_json, write_json
from attn_plugins.benchmark.results import read_results
from attn_plugins.benchmark.suite import read_suite


def comparison(project, scores, seeds):
    """The comparison of a suite in which (preset, seed) got `scores`; what has no score has not run."""
    suite = read_suite(
        project.suite(
            seeds=seeds,
            presets=list(dict.fromkeys(p for p, _ in scores)),
            configs=dict(toy=dict(config='toy.py')),
        )
    )
    for run in suite.runs:
        if (run.preset, run.seed) in scores:
            project.put_result(run, scores[run.preset, run.seed])
    return compare(read_results(suite))


def test_differences_are_paired_by_seed(project):
    scores = {
        ('none', 0): 90.0,
        ('none', 1): 94.0,
        ('none', 2): 92.0,
        ('ca', 0): 91.0,
        ('ca', 1): 96.0,
        ('ca', 2): 95.0,
    }
    [toy] = comparison(project, scores, [0, 1, 2])
    none, ca = toy.presets
    assert (none.score.mean, none.score.std, none.difference) == (92.0, 2.0, None)
    # Differences 1, 2, 3: mean 2, standard deviation 1, t(0.975, 2) = 4.302653.
    assert (ca.difference.mean, ca.difference.std, ca.difference.n) == (2.0, 1.0, 3)
    half = 4.302653 / math.sqrt(3)
    assert ca.difference.interval == pytest.approx((2 - half, 2 + half), abs=1e-5)
    assert 'for none of 1 comparison' in verdict([toy])


def test_only_seeds_that_both_have_finished_count(project):
    scores = {('none', 0): 90.0, ('none', 2): 50.0, ('ca', 0): 91.5, ('ca', 1): 99.0}
    [toy] = comparison(project, scores, [0, 1, 2])
    ca = toy.presets[1]
    assert (ca.score.n, ca.difference.n, ca.difference.mean) == (2, 1, 1.5)
    assert ca.unfinished == {2: ('waiting', '')}


def test_one_seed_shows_no_gain(project):
    [toy] = comparison(project, {('none', 0): 90.0, ('ca', 0): 99.0}, [0])
    assert (toy.presets[1].difference.std, toy.presets[1].difference.interval) == (None, None)
    assert 'One seed shows no gain' in verdict([toy])


def test_a_clear_difference_is_named(project):
    scores = {(p, s): 90.0 + s / 10 + (p == 'ca') * (2 + s / 100) for p in ('none', 'ca') for s in range(3)}
    text = verdict(comparison(project, scores, [0, 1, 2]))
    assert 'toy/ca (+2.01) of 1 comparison' in text
    assert 'One seed shows no gain' not in text


def test_estimate_of_equal_values_is_a_point():
    assert estimate([3.0, 3.0]).interval == (3.0, 3.0)
    assert estimate([]) is None


def test_headlines_are_in_percent_points():
    shown = headline({'coco/bbox_mAP_50': 0.5, 'coco/bbox_mAP': 0.312})
    assert (shown.name, round(shown.value, 6), shown.unit) == ('box mAP', 31.2, ' %')
    assert headline({'aAcc': 90.0, 'mIoU': 61.5}).value == 61.5
    assert headline({'pascal_voc/AP50': 0.4, 'pascal_voc/mAP': 0.4}).value == 40.0
    assert headline({'accuracy/top5': 99.0, 'accuracy/top1': 95.0}).value == 95.0
    other = headline({'loss': 0.25, 'psnr': 30.0})
    assert (other.name, other.value, other.unit) == ('loss', 0.25, '')


def test_a_test_that_has_a_result_counts_though_another_failed(project):
    configs = dict(toy=dict(config='toy.py', tests=dict(clean={}, noisy={})))
    suite = read_suite(project.suite(presets=['none'], configs=configs))
    [run] = suite.runs
    project.put_result(run, 90.0)
    result = read_json(run.folder / 'result.json')
    del result['steps']['noisy'], result['steps']['count']
    write_json(run.folder / 'result.json', dict(result, state='failed', error='noisy: no data'))
    clean, noisy = compare(read_results(suite))
    assert clean.presets[0].score.mean == 90.0 and noisy.presets[0].score is None
    assert noisy.presets[0].unfinished == {0: ('failed', 'noisy: no data')}
