"""Comparisons, against numbers computed by hand."""

import math

import pytest

from attn_plugins.benchmark.compare import compare
from attn_plugins.benchmark.metrics import headline
from attn_plugins.benchmark.record import read_json, write_json
from attn_plugins.benchmark.results import read_results
from attn_plugins.benchmark.suite import read_suite


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
