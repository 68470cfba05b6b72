"""Comparisons, against numbers computed by hand."""

import math

import pytest

from attn_plugins.benchmark.metrics import headline
from attn_plugins.benchmark.report.compare import compare
from attn_plugins.benchmark.report.summary import verdict
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


@pytest.mark.parametrize('value', [math.nan, math.inf])
def test_a_score_that_is_not_finite_is_counted_and_no_part_of_any_mean(project, value):
    scores = {('none', 0): 90.0, ('none', 1): 91.0, ('none', 2): 93.0}
    scores |= {('ca', 0): 92.0, ('ca', 1): value, ('ca', 2): 94.0, ('se', 0): value}
    [toy] = project.compare(scores, [0, 1, 2])
    none, ca, se = toy.presets
    assert (ca.score.mean, ca.score.n, ca.difference.mean, ca.lost) == (93.0, 2, 1.5, [1])
    assert (none.caveats, ca.caveats) == ([], ['1 of 3 seeds without a finite score'])
    assert (se.score, se.difference, se.lost, se.caveats) == (None, None, [0], ca.caveats)
    assert toy.pairs[0].rests_on == (
        'on 2 of 3 seeds, which favours ca; of ca, 1 of 3 seeds without a finite score'
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


def test_a_variant_says_what_it_is_and_is_compared_by_its_name(project):
    variant = {'wide': dict(preset='none', cfg_options={'model.backbone.depth': 34, 'x': 'y'})}
    scores = {('none', 0): 90.0, ('wide', 0): 90.5, ('ca', 0): 92.0}
    [toy] = project.compare(scores, [0], presets=['none', 'ca', variant], controls=dict(ca=['wide']))
    assert [result.preset for result in toy.presets] == ['none', 'ca', 'wide']
    assert [result.variant for result in toy.presets] == ['', '', 'none with model.backbone.depth=34, x=y']
    assert toy.presets[2].difference.mean == 0.5, 'a variant of none is not the plain model'
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


RISING = [[step, {'accuracy/top1': 10.0 * step}] for step in range(1, 9)]
AT_REST = [[step, {'accuracy/top1': min(10.0 * step, 60.0)}] for step in range(1, 13)]


def test_what_is_to_be_known_of_the_runs_behind_a_difference(project):
    """Each with how many seeds it is of; where both have lost some, neither is favoured."""
    path = project.suite(seeds=[0, 1, 2], configs=dict(toy=dict(config='toy.py')))
    suite = read_suite(path)
    changes = {
        ('none', 0): dict(curve=dict(validation=RISING)),
        ('none', 1): dict(curve=dict(validation=AT_REST)),
        ('ca', 0): dict(test=dict(chance={'accuracy/top1': 90.5})),
        ('ca', 1): dict(train=dict(inexact='its checkpoint is of another tool')),
        ('ca', 2): dict(curve=dict(loss=[[1, 2.0], [2, 'nan']])),
    }
    for run in suite.runs:
        project.put_result(run, 90.0, **changes.get((run.preset_name, run.seed), {}))
    [toy] = compare(suite, read_results(suite))
    none, ca = toy.presets
    assert none.caveats == ['1 of 3 seeds still improving at the end, so not converged']
    assert ca.caveats == [
        '1 of 3 seeds diverged',
        '1 of 3 seeds at the level of chance, so nothing was learnt',
        '1 of 3 seeds resumed, and not as if without a break (its checkpoint is of another tool)',
    ]
    [pair] = toy.pairs
    assert ca.lost == [2] and ca.unfinished == {
        2: ('diverged', 'train: the loss was no number at iteration 2')
    }
    assert pair.rests_on.startswith('on 2 of 3 seeds, which favours ca; of ca, 1 of 3 seeds diverged, ')
    assert pair.rests_on.endswith('; of none, ' + none.caveats[0])


def test_pairs_that_do_not_share_their_start_say_so(project):
    """A convolution that was replaced is no part of it, another width is, and other values are an alarm."""
    plain = {'conv1.weight': '8x3 aaaa', 'conv2.weight': '8x8 bbbb', 'fc.weight': '10x8 cccc'}
    starts = {
        'none': plain,
        'ca': {name: plain[name] for name in ('conv1.weight', 'fc.weight')},
        'wide': plain | {'conv2.weight': '9x9 bbbb', 'fc.weight': '10x9 dddd'},
        'se': plain | {'fc.weight': '10x8 eeee'},
    }
    presets = ['none', 'ca', {'wide': dict(cfg_options={'x': 1})}, 'se']
    suite = read_suite(project.suite(seeds=[0], presets=presets, configs=dict(toy=dict(config='toy.py'))))
    for run in suite.runs:
        project.put_result(run, 90.0, start=starts[run.preset_name])
    [toy] = compare(suite, read_results(suite))
    assert [pair.start for pair in toy.pairs] == [
        '',
        'differ in shape, so 1 of 3 weights start alike',
        'start from other values in 1 of 3 weights: results of another version or machine are mixed in, or a model '
        'above the plugged part draws all its weights in one go',
    ]
    assert 'toy/se minus none: with one seed they start from other values in 1 of 3 weights' in verdict([toy])
    (suite.runs[1].folder / 'start.json').unlink()
    [toy] = compare(suite, read_results(suite))
    said = verdict([toy])
    assert 'Whether the runs of a seed share their start is not on record for 1 of 3 differences.' in said


@pytest.mark.parametrize(
    'file, content',
    [
        ('result.json', dict(state='finished')),
        ('result.json', dict(state='finished', steps=None)),
        ('progress.json', dict(loss=None)),
        ('progress.json', dict(loss=[[1, 'bad']], validation=[[3]])),
    ],
)
def test_a_record_that_somebody_has_edited_costs_no_report(project, file, content):
    suite = read_suite(project.suite(configs=dict(toy=dict(config='toy.py'))))
    for run in suite.runs:
        project.put_result(run, 90.0)
    write_json(suite.runs[1].folder / file, content)
    [toy] = compare(suite, read_results(suite))
    assert toy.presets[0].score.mean == 90.0
    assert (toy.presets[1].score is None) == (file == 'result.json')
