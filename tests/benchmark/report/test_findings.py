"""The sentence of each preset: what was seen, what it allows to say, what comes before it, what it costs."""

import csv
import io

import numpy as np
import pytest
from rich.console import Console

from attn_plugins.benchmark.report import print_report, write_report
from attn_plugins.benchmark.report.compare import compare
from attn_plugins.benchmark.report.findings import findings
from attn_plugins.benchmark.results import read_results
from attn_plugins.benchmark.statistics import paired_difference
from attn_plugins.benchmark.suite import read_suite

NOT_MEASURED = 'latency beside none not measured'
AS_MANY = f'as many parameters as none, as many multiply-adds as none, {NOT_MEASURED}.'
PLAIN = [90.0, 92.0, 91.0, 93.0, 90.5]


def of(project, gains, **changes) -> dict[str, str]:
    """Preset -> its sentence, where it gained so much over none with each seed."""
    seeds = list(range(max(map(len, gains.values()))))
    scores = {('none', seed): PLAIN[seed] for seed in seeds}
    scores |= {
        (name, seed): PLAIN[seed] + gain for name, row in gains.items() for seed, gain in enumerate(row)
    }
    [toy] = project.compare(scores, seeds, **changes)
    return {text.partition(':')[0]: text for text in findings(toy)}


def put(project, seeds, values, changes=(), **suite):
    """The sentences of a suite of none and ca, with results of what has a value and other changes."""
    path = project.suite(
        seeds=seeds, configs=dict(toy=dict(config='toy.py')), **dict(dict(presets=['none', 'ca']), **suite)
    )
    suite = read_suite(path)
    for run in suite.runs:
        key = (run.preset_name, run.seed)
        if key in values:
            project.put_result(run, values[key], **dict(changes).get(key, {}))
    return suite, findings(compare(suite, read_results(suite))[0])


def test_three_seeds_are_no_verdict(project):
    """Mean 1, standard deviation 1.5: 4.302653 x 1.5 / sqrt(3) = 3.73 to each side."""
    said = of(project, dict(ca=[1.0, 2.5, -0.5]))
    assert said['ca'] == (
        'ca: top-1 1.00 points above none on the mean of 3 seeds (95 %: −2.73 to +4.73), higher in 2 of 3 seeds: not '
        f'decided, as a verdict needs 5 seeds; {AS_MANY}'
    )


def test_one_seed_is_no_gain(project):
    assert of(project, dict(ca=[-5.0]))['ca'] == (
        'ca: top-1 5.00 points below none with 1 seed: not decided, as one seed does not tell how much the result '
        f'moves from seed to seed; {AS_MANY}'
    )


def test_the_words_are_those_of_the_verdicts(project):
    said = of(
        project,
        dict(
            ca=[2.0, 2.2, 1.9, 2.1, 1.8],
            se=[-3.0, -3.1, -2.9, -3.2, -2.8],
            eca=[0.1, -0.1, 0.05, 0.0, -0.05],
            sge=[3.0, -2.0, 1.0, -1.0, 0.5],
        ),
        margin=0.5,
    )
    assert (
        'top-1 2.00 points above none' in said['ca'] and ', higher in 5 of 5 seeds: better (p ' in said['ca']
    )
    assert 'top-1 3.00 points below none' in said['se'] and ', lower in 5 of 5 seeds: worse (p ' in said['se']
    assert 'top-1 as none, to the second digit, on the mean of 5 seeds' in said['eca']
    assert ', higher in 2 of 5 seeds: equal within 0.5 (p ' in said['eca']
    assert ': not decided (p ' in said['sge'] and 'could have shown)' in said['sge']


def test_a_pair_that_is_declared_the_other_way_round_is_turned(project):
    said = of(project, dict(ca=[2.0, 2.2, 1.9, 2.1, 1.8], se=[1.0] * 5), comparisons=[['none', 'ca']])
    assert 'above none' in said['ca'] and ': better (p ' in said['ca']
    assert ": without a verdict, as it is not among the suite's comparisons;" in said['se']


def test_what_makes_the_number_doubtful_comes_first(project):
    rising = [[step, {'accuracy/top1': 10.0 * step}] for step in range(1, 9)]
    values = {(preset, seed): 90.0 + seed for preset in ('none', 'ca') for seed in range(3)}
    _, [text] = put(
        project,
        [0, 1, 2, 3],
        values | {('none', 3): 91.0},
        {
            ('none', 1): dict(curve=dict(validation=rising)),
            ('ca', 0): dict(test=dict(chance={'accuracy/top1': 90.5})),
            ('ca', 1): dict(train=dict(inexact='its checkpoint is of another tool')),
            ('ca', 2): dict(curve=dict(loss=[[1, 2.0], [2, 'nan']])),
        },
    )
    assert text == (
        'ca: caution, 1 of 4 seeds diverged, and 1 of 4 seeds at the level of chance, so nothing was learnt, and 1 of '
        '4 seeds resumed, and not as if without a break (its checkpoint is of another tool), and seed 3 waiting, and '
        'of none 1 of 4 seeds still improving at the end, so not converged; top-1 as none, to the second digit, on the '
        'mean of 2 seeds (95 %: +0.00 to +0.00), higher in 0 of 2 seeds, of the 4 that are planned, which favours ca: '
        f'not decided, as a verdict needs 5 seeds; {AS_MANY}'
    )


def test_what_both_have_is_said_once(project):
    values = {(preset, 0): 90.0 for preset in ('none', 'ca')}
    chance = {key: dict(test=dict(chance={'accuracy/top1': 95.0})) for key in values}
    _, [text] = put(project, [0], values, chance)
    assert text.startswith(
        'ca: caution, 1 of 1 seeds at the level of chance, so nothing was learnt, of none too; top-1 as none,'
    )


def test_starts_that_differ_come_first(project):
    values = {('none', 0): 90.0, ('ca', 0): 91.0}
    other = {('ca', 0): dict(start={'conv1.weight': '8x3x3x3 ffff'})}
    _, [text] = put(project, [0], values, other)
    assert text.startswith(
        'ca: caution, with one seed it and none start from other values in 1 of 1 weights: '
    )


def test_where_a_score_is_missing(project):
    suite, said = put(project, [0, 1], {('none', 0): 90.0})
    assert said == [
        'ca: no score (seeds 0, 1 waiting), so there is nothing to compare; what it costs is not known.'
    ]
    project.put_result(suite.runs[3], 91.0)
    [text] = findings(compare(suite, read_results(suite))[0])
    assert text.startswith(
        'ca: caution, seed 0 waiting, and of none seed 1 waiting; top-1 91.00 % on 1 seed; '
    )
    assert 'no seed in common with none, so there is no difference to speak of;' in text


def test_where_the_plain_model_is_missing(project):
    _, [text] = put(project, [0], {('ca', 0): 91.0})
    assert (
        'top-1 91.00 % on 1 seed; none has no score (seed 0 waiting), so there is nothing to compare' in text
    )
    _, [text] = put(project, [0], {('ca', 0): 91.0}, presets=['ca'])
    assert text == (
        'ca: top-1 91.00 % on 1 seed; the suite does not train none here, so there is nothing to compare it with.'
    )


def test_no_finite_score_at_all(project):
    nan = float('nan')
    _, [text] = put(project, [0], {('none', 0): nan, ('ca', 0): nan})
    assert text.startswith(
        'ca: caution, 1 of 1 seeds without a finite score; no score, so there is nothing to compare;'
    )


@pytest.mark.parametrize(
    'counts, said',
    [
        (
            dict(parameters=2_240_000, madds=52_000_000),
            '0.24 M parameters more (+12 %), 2.00 M multiply-adds more (+4 %)',
        ),
        (
            dict(parameters=1_999_976, madds=50_000_100),
            '24 parameters fewer (less than 0.01 %), 100 multiply-adds more (less than 0.01 %)',
        ),
        (
            dict(parameters=2_009_000, madds=None),
            '9,000 parameters more (+0.45 %), multiply-adds beside none not counted',
        ),
    ],
)
def test_what_it_costs(project, counts, said):
    values = {('none', 0): 90.0, ('ca', 0): 91.0}
    _, [text] = put(project, [0], values, {('ca', 0): dict(count=counts)})
    assert text.endswith(f'; {said}, {NOT_MEASURED}.')


def test_a_metric_that_is_no_share_has_no_points(project, monkeypatch):
    monkeypatch.setattr('attn_plugins.benchmark.metrics.HEADLINES', {})
    assert 'accuracy/top1 1.00 above none with 1 seed' in of(project, dict(ca=[1.0]))['ca']


def test_every_writer_shows_the_sentence(project):
    suite, [text] = put(project, [0], {('none', 0): 90.0, ('ca', 0): 91.0})
    console = Console(record=True, width=500)
    print_report(suite, read_results(suite), console)
    shown = {suffix: path.read_text() for suffix, path in write_report(suite, read_results(suite)).items()}
    assert text in console.export_text()
    assert f'* {text}' in shown['md'] and text in shown['tex']
    assert f'<li><strong>ca</strong>{text.removeprefix("ca").replace(chr(39), "&#39;")}</li>' in shown['html']
    lines = list(csv.DictReader(io.StringIO(shown['csv'])))
    assert [line['text'] for line in lines if line['row'] == 'finding'] == [text]


def test_seeds_within_rounding_are_neither_above_nor_below():
    scores = np.float32([90.1, 90.2, 91.0, 89.0])
    found = paired_difference(dict(enumerate(scores)), dict(enumerate([90.1, 90.2, 90.0, 90.0])))
    assert (found.above, found.below, found.n) == (1, 1, 4)
