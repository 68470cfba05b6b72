"""Comparisons, against numbers computed by hand."""

import math

import pytest

from attn_plugins.benchmark.compare import compare
from attn_plugins.benchmark.metrics import headline
from attn_plugins.benchmark.results import read_results
from attn_plugins.benchmark.suite import read_suite
from attn_plugins.files import read_json, write_json


def test_differences_are_paired_by_seed(project):
    scores = {
        ('none', 0): 90.0,
        ('none', 1): 94.0,
        ('none', 2): 92.0,
        ('ca', 0): 91.0,
        ('ca', 1): 96.0,
        ('ca', 2): 95.0,
    }
    [toy] = project.compare(scores, [0, 1, 2])
    none, ca = toy.presets
    assert (none.score.mean, none.score.std, none.difference) == (92.0, 2.0, None)
    # Differences 1, 2, 3: mean 2, standard deviation 1, t(0.975, 2) = 4.302653.
    assert (ca.difference.mean, ca.difference.std, ca.difference.n) == (2.0, 1.0, 3)
    half = 4.302653 / math.sqrt(3)
    assert ca.difference.interval == pytest.approx((2 - half, 2 + half), abs=1e-5)


def test_only_seeds_that_both_have_finished_count(project):
    scores = {('none', 0): 90.0, ('none', 2): 50.0, ('ca', 0): 91.5, ('ca', 1): 99.0}
    [toy] = project.compare(scores, [0, 1, 2])
    ca = toy.presets[1]
    assert (ca.score.n, ca.difference.n, ca.difference.mean) == (2, 1, 1.5)
    assert ca.unfinished == {2: ('waiting', '')}


def test_one_seed_has_no_interval(project):
    [toy] = project.compare({('none', 0): 90.0, ('ca', 0): 99.0}, [0])
    assert (toy.presets[1].difference.std, toy.presets[1].difference.interval) == (None, None)


def test_a_preset_is_held_against_its_controls_seed_by_seed(project):
    """Whatever the plain model did: the difference to a control is of the seeds that both have, the gains of none's."""
    scores = {('none', 0): 90.0, ('none', 1): 91.0}
    scores |= {('ca', 0): 92.0, ('ca', 1): 95.0, ('ca', 2): 97.0}
    scores |= {('se', 0): 91.0, ('se', 1): 93.0, ('se', 2): 94.0}
    [toy] = project.compare(scores, [0, 1, 2], controls=dict(ca=['se']))
    [ca] = toy.controls
    [se] = ca.controls
    # ca - none: 2, 4; se - none: 1, 2; ca - se: 1, 2, 3, whose half interval is 4.302653 / sqrt(3).
    assert (ca.preset, ca.gain.mean, ca.gain.n) == ('ca', 3.0, 2)
    assert (se.preset, se.gain.mean, se.gain.n) == ('se', 1.5, 2)
    assert (se.difference.mean, se.difference.std, se.difference.n) == (2.0, 1.0, 3)
    assert se.difference.half_width == pytest.approx(4.302653 / math.sqrt(3), abs=1e-5)
    assert ca.gain == toy.presets[1].difference, 'the same number as in the table of presets'


def test_controls_without_the_plain_model_or_a_result(project):
    [toy] = project.compare({('ca', 0): 92.0, ('se', 1): 91.0}, [0, 1], controls=dict(ca=['se']))
    [ca] = toy.controls
    assert (ca.gain, ca.controls[0].gain, ca.controls[0].difference) == (None, None, None)


@pytest.mark.parametrize('lost', [math.nan, math.inf])
def test_a_score_that_is_not_finite_is_counted_and_no_part_of_any_mean(project, lost):
    scores = {('none', 0): 90.0, ('none', 1): 91.0, ('none', 2): 93.0}
    scores |= {('ca', 0): 92.0, ('ca', 1): lost, ('ca', 2): 94.0, ('se', 0): lost}
    [toy] = project.compare(scores, [0, 1, 2])
    none, ca, se = toy.presets
    assert (ca.score.mean, ca.score.n, ca.difference.mean, ca.not_finite) == (93.0, 2, 1.5, [1])
    assert (none.lost, ca.lost) == ('', '1 of 3 seeds has no finite score')
    assert (se.score, se.difference, se.not_finite, se.lost) == (None, None, [0], ca.lost)
    assert toy.pairs[0].rests_on == (
        'on the 2 where both are finite (ca: 1 of 3 seeds has no finite score), which favours ca'
    )
    assert toy.pairs[0].difference.n == 2 and toy.pairs[1].difference is None


def test_a_pair_says_that_seeds_are_not_there_yet(project):
    scores = {('none', 0): 90.0, ('none', 1): 91.0, ('ca', 0): 92.0, ('ca', 1): 93.5}
    assert project.compare(scores, [0, 1, 2])[0].pairs[0].rests_on == 'on 2 of 3 seeds'
    assert project.compare(scores, [0, 1])[0].pairs[0].rests_on == ''


def test_all_comparisons_of_a_suite_are_one_family(project):
    """Two configs, one of them in two tests, and a pair that has not run: p is that of four comparisons."""
    configs = dict(
        toy=dict(config='toy.py', presets=['none', 'ca'], tests=dict(clean={}, noisy={})),
        other=dict(config='toy.py', presets=['none', 'ca', 'se'], seeds=[7]),
    )
    gains = [1.0, 1.2, 0.8, 1.1, 1.05]
    scores = {('none', seed): 90.0 + seed % 3 for seed in range(5)}
    scores |= {('ca', seed): scores['none', seed] + gain for seed, gain in enumerate(gains)}
    clean, noisy, other = project.compare(scores, list(range(5)), configs=configs)
    [pair] = clean.pairs
    assert (pair.verdict.word, pair.verdict.p_holm) == ('better', pytest.approx(4 * pair.difference.p_coarse))
    assert noisy.pairs == clean.pairs
    assert [p.verdict.word for p in other.pairs] == ['no verdict', 'no verdict']


def test_comparisons_that_are_not_declared_are_exploratory(project):
    scores = {(preset, seed): 90.0 for preset in ('none', 'ca', 'se') for seed in range(2)}
    [toy] = project.compare(scores, [0, 1], comparisons=[['ca', 'se']], controls=dict(se=['ca']))
    assert [(p.first, p.second, p.verdict.word) for p in toy.pairs] == [
        ('ca', 'se', 'no verdict'),
        ('ca', 'none', 'exploratory'),
        ('se', 'none', 'exploratory'),
        ('se', 'ca', 'exploratory'),
    ]
    assert all(pair.difference.n == 2 for pair in toy.pairs)


def test_of_a_metric_that_nobody_knows_more_is_not_better(project, monkeypatch):
    monkeypatch.setattr('attn_plugins.benchmark.metrics.HEADLINES', {})
    scores = {('none', seed): 90.0 for seed in range(5)}
    scores |= {('ca', seed): 91.0 + seed / 10 for seed in range(5)}
    scores |= {('se', seed): 89.0 - seed / 10 for seed in range(5)}
    [toy] = project.compare(scores, list(range(5)))
    assert [pair.verdict.word for pair in toy.pairs] == ['higher', 'lower']


def test_the_best_validation_stands_beside_the_last_checkpoint(project):
    """Of the same metric, over seeds; what is not finite or of another metric is none."""
    suite = read_suite(project.suite(seeds=[0, 1, 2], configs=dict(toy=dict(config='toy.py'))))
    top1 = {
        ('none', 0): [70.0, 95.0, math.nan],
        ('none', 1): [93.0, 91.0],
        ('none', 2): [],
        ('ca', 0): [],
    }
    for run in suite.runs:
        curve = [
            [i, {'accuracy/top1': value}] for i, value in enumerate(top1.get((run.preset_name, run.seed), []))
        ]
        curve += [[9, {'coco/bbox_mAP': 0.99}], [10, {'loss': 1.0}]]
        project.put_result(run, 90.0, curve=dict(loss=[], validation=curve))
    none, ca = compare(suite, read_results(suite))[0].presets
    assert (none.score.mean, none.best.mean, none.best.n) == (90.0, 94.0, 2)
    assert ca.best is None


def test_a_twin_says_what_it_is_and_is_compared_by_its_name(project):
    twin = {'wide': dict(preset='none', cfg_options={'model.backbone.depth': 34, 'x': 'y'})}
    scores = {('none', 0): 90.0, ('wide', 0): 90.5, ('ca', 0): 92.0}
    [toy] = project.compare(scores, [0], presets=['none', 'ca', twin], controls=dict(ca=['wide']))
    assert [result.preset for result in toy.presets] == ['none', 'ca', 'wide']
    assert [result.twin for result in toy.presets] == ['', '', 'none with model.backbone.depth=34, x=y']
    assert toy.presets[2].difference.mean == 0.5, 'a twin of none is not the plain model'
    assert toy.controls[0].controls[0].difference.mean == 1.5


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
    clean, noisy = compare(suite, read_results(suite))
    assert clean.presets[0].score.mean == 90.0 and noisy.presets[0].score is None
    assert noisy.presets[0].unfinished == {0: ('failed', 'noisy: no data')}
