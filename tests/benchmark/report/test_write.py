"""Reports: nothing is dropped, nothing is fetched, and one seed shows no gain."""

import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from rich.console import Console
from scipy.stats import ttest_rel

from attn_plugins.benchmark.progress import watch
from attn_plugins.benchmark.report.write import print_report, write_report
from attn_plugins.benchmark.results import read_results
from attn_plugins.benchmark.statistics import least_difference, paired_difference
from attn_plugins.benchmark.suite import read_suite

VALUES = {('none', 0): 90.0, ('none', 1): 92.0, ('ca', 0): 91.0, ('ca', 1): 94.0}


@pytest.fixture
def suite(project):
    """none and ca finished on two seeds; iebn failed on one and waits on the other; a name that needs escaping."""
    configs = {'a<b>|c': dict(config='toy.py')}
    suite = read_suite(project.suite(seeds=[0, 1], presets=['none', 'ca', 'iebn'], configs=configs))
    for run in suite.runs:
        if run.preset != 'iebn':
            project.put_result(
                run, VALUES[run.preset, run.seed], count=dict(madds=50_000_000 + 10**6 * (run.preset == 'ca'))
            )
    project.put_failure(suite.runs[2], 'the loss is <nan>')
    return suite


class Page(HTMLParser):
    """Collects what a page refers to, the order values of its cells, and checks that its tags are closed in order."""

    def __init__(self, text):
        super().__init__()
        self.references, self.orders, self.open, self.tags = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.references += [
            value for name, value in attributes if name in ('src', 'href', 'xlink:href', 'srcset')
        ]
        self.orders += [value for name, value in attributes if name == 'data-order']
        if tag not in ('meta', 'link', 'img', 'br'):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.references += [
            value for name, value in attributes if name in ('src', 'href', 'xlink:href', 'srcset')
        ]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_needs_nothing_but_itself(suite):
    text = write_report(suite, read_results(suite))['html'].read_text()
    page = Page(text)
    assert page.open == []
    assert page.references, 'the plot refers to its own markers'
    assert all(reference.startswith('#') for reference in page.references)
    assert not re.search(r'url\((?!#)|@import|<link', text)
    assert 'svg' in page.tags
    assert 'a<b>' not in text
    assert 'the loss is &lt;nan&gt;' in text


def test_numbers_of_the_report(suite):
    paths = write_report(suite, read_results(suite))
    row = next(line for line in paths['md'].read_text().splitlines() if line.startswith('| ca '))
    # Differences 1 and 2: mean 1.5, std 0.7071, t(0.975, 1) = 12.7062, half of the interval 6.3531.
    assert '92.50 ± 2.12 (n = 2)' in row
    assert '+1.50 ± 0.71 (n = 2, 95 %: −4.85 to +7.85, includes 0)' in row
    assert '| 2.000 M | 51.0 M | – | 1 min 40 s | 900 MB (process) |' in row
    content = json.loads(paths['json'].read_text())
    assert content['comparisons'][0]['presets'][1]['difference']['mean'] == 1.5
    assert Page(paths['html'].read_text()).orders[8:11] == ['ca', '92.5', '1.5']


@pytest.fixture
def controlled(project):
    """ca beside eca, the variant `deep` and srm, which has not run, on two seeds."""
    scores = VALUES | {('eca', 0): 90.5, ('eca', 1): 92.5, ('deep', 0): 91.5, ('deep', 1): 91.5}
    presets = ['none', 'ca', 'eca', {'deep': dict(cfg_options={'a|b': '<i>'})}, 'srm']
    suite = read_suite(
        project.suite(
            seeds=[0, 1],
            presets=presets,
            configs=dict(toy=dict(config='toy.py')),
            controls=dict(ca=['eca', 'deep', 'srm']),
        )
    )
    for run in suite.runs:
        if (run.preset_name, run.seed) in scores:
            project.put_result(run, scores[run.preset_name, run.seed])
    return suite


def test_a_gain_stands_beside_its_controls(controlled):
    paths = write_report(controlled, read_results(controlled))
    text = paths['md'].read_text()
    table = text[text.index('### ca beside its controls') : text.index('## How to read')]
    rows = [line for line in table.splitlines() if line.startswith('|')]
    # ca - eca: 0.5, 1.5; ca - deep: -0.5, 2.5; t(0.975, 1) = 12.7062.
    gain = '+1.50 ± 0.71 (n = 2, 95 %: −4.85 to +7.85, includes 0)'
    assert rows == [
        '| preset | minus none | ca minus it |',
        '|---|--:|--:|',
        f'| ca | {gain} | – |',
        '| eca | +0.50 ± 0.00 (n = 2, 95 %: +0.50 to +0.50, without spread) '
        '| +1.00 ± 0.71 (n = 2, 95 %: −5.35 to +7.35, includes 0) |',
        '| deep | +0.50 ± 1.41 (n = 2, 95 %: −12.21 to +13.21, includes 0) '
        '| +1.00 ± 2.12 (n = 2, 95 %: −18.06 to +20.06, includes 0) |',
        '| srm | – | – |',
    ]
    assert '| deep (none with a\\|b=\\<i>) |' in text
    page = paths['html'].read_text()
    assert Page(page).open == [] and Page(page).tags.count('table') == 5
    assert '<h3>ca beside its controls</h3>' in page and 'none with a|b=&lt;i&gt;' in page
    [comparison] = json.loads(paths['json'].read_text())['comparisons']
    [entry] = comparison['controls']
    assert (entry['preset'], entry['gain']['mean']) == ('ca', 1.5)
    assert [(c['preset'], c['gain'] and c['gain']['mean']) for c in entry['controls']] == [
        ('eca', 0.5),
        ('deep', 0.5),
        ('srm', None),
    ]
    assert entry['controls'][0]['difference']['mean'] == 1.0
    assert entry['controls'][0]['difference']['half_width'] == pytest.approx(12.7062 * 0.5, abs=1e-4)
    console = Console(record=True, width=220)
    print_report(controlled, read_results(controlled), console)
    shown = console.export_text()
    assert 'ca beside its controls' in shown and 'none with a|b=<i>' in shown


def test_a_difference_stands_with_its_tests_and_its_verdict(project):
    """The same numbers in all four places; by hand: p is scipy's ttest_rel, 2 of 32 sign flips, Holm over two."""
    gains = dict(ca=[1.0, 1.4, 0.6, 0.9, 1.6], se=[0.4, -0.3, 0.2, -0.6, 0.1])
    suite = read_suite(
        project.suite(
            seeds=list(range(5)), presets=['none', 'ca', 'se'], configs=dict(toy=dict(config='toy.py'))
        )
    )
    plain = [90.0, 90.9, 89.3, 91.2, 90.4]
    for run in suite.runs:
        value = plain[run.seed] + (gains[run.preset_name][run.seed] if run.preset_name in gains else 0)
        validation = [[1, {'accuracy/top1': value + 2}], [2, {'accuracy/top1': value - 1}]]
        project.put_result(run, value, curve=dict(loss=[[1, 2.0]], validation=validation))
    paths = write_report(suite, read_results(suite))
    text = paths['md'].read_text()
    ca = paired_difference(dict(enumerate(np.add(plain, gains['ca']))), dict(enumerate(plain)))
    test = ttest_rel(np.add(plain, gains['ca']), plain)
    [comparison] = json.loads(paths['json'].read_text())['comparisons']
    pair = comparison['pairs'][0]
    assert (pair['first'], pair['second'], pair['verdict']['word']) == ('ca', 'none', 'better')
    assert pair['difference']['p_t'] == pytest.approx(test.pvalue)
    assert pair['verdict']['p_holm'] == pytest.approx(2 * ca.p_coarse)
    cells = [
        'ca minus none',
        f'+1.10 ± {ca.std:.2f} (n = 5, 95 %: +{ca.interval[0]:.2f} to +{ca.interval[1]:.2f})',
        f'better (p = {2 * ca.p_coarse:.3f} after Holm over 2 comparisons)',
        f'{test.pvalue:.3f}',
        '0.062 (32 flips, the least possible)',
        f'{2 * ca.p_coarse:.3f}',
        f'{ca.correlation:.2f}',
        f'{least_difference(ca.std, 5, 2):.2f}',
    ]
    assert f'| {" | ".join(cells)} |' in text
    # The scores of ca: 91.0, 92.3, 89.9, 92.1, 92.0; each seed's best validation is 2 above.
    assert '| ca | 91.46 ± 1.01 (n = 5; median 92.00) | 93.46 ± 1.01 (n = 5; median 94.00) | +1.10' in text
    assert '| preset | top-1, % | best validation, % | minus none |' in text
    assert 'so it is no score of a test' in text
    console = Console(record=True, width=260)
    print_report(suite, read_results(suite), console)
    for shown in (console.export_text(), paths['html'].read_text()):
        assert all(part in shown for part in ('ca minus none', '32 flips', cells[3], cells[7], 'better'))
        assert '2 comparisons: 1 is better (toy/ca minus none +1.10), 1 is not decided (' in shown


def test_a_seed_without_a_finite_score_does_not_cost_the_report(project):
    """It is counted in every table, and every file is what its kind should be."""
    suite = read_suite(project.suite(seeds=[0, 1, 2], configs=dict(toy=dict(config='toy.py'))))
    for run in suite.runs:
        lost = run.preset == 'ca' and run.seed == 1
        curve = dict(loss=[[1, 2.0], [2, 1.0]], validation=[])
        project.put_result(run, math.nan if lost else 90.0 + run.seed, curve=curve)
    paths = write_report(suite, read_results(suite))
    content = json.loads(paths['json'].read_text(), parse_constant=pytest.fail)
    ca = content['comparisons'][0]['presets'][1]
    assert (ca['lost'], ca['score']['n']) == ([1], 2)
    assert content['runs'][3]['steps']['test']['metrics'] == {'accuracy/top1': 'nan'}
    assert Page(paths['html'].read_text()).open == []
    console = Console(record=True, width=260)
    print_report(suite, read_results(suite), console)
    watch(lambda: read_results(suite), console)
    for shown in (console.export_text(), paths['md'].read_text(), paths['html'].read_text()):
        assert '1 of 3 seeds without a finite score' in shown
        assert 'on 2 of 3 seeds, which favours ca' in shown


def test_a_report_without_controls_has_no_word_of_them(suite):
    for suffix in ('md', 'html'):
        text = write_report(suite, read_results(suite))[suffix].read_text()
        assert 'beside its controls' not in text and 'what the control lacks' not in text


def test_controls_of_one_seed_have_no_interval(project):
    suite = read_suite(
        project.suite(
            presets=['none', 'ca', 'se'], configs=dict(toy=dict(config='toy.py')), controls=dict(ca=['se'])
        )
    )
    for run, value in zip(suite.runs, (90.0, 95.0, 94.0), strict=True):
        project.put_result(run, value)
    text = write_report(suite, read_results(suite))['md'].read_text()
    assert '| se | +4.00 (n = 1) | +1.00 (n = 1) |' in text
    assert '| ca minus se | +1.00 (n = 1) | no verdict (n = 1, five seeds are needed) | – | – | – |' in text


def test_what_failed_or_is_missing_is_shown(suite):
    paths = write_report(suite, read_results(suite))
    for suffix in ('md', 'html'):
        text = paths[suffix].read_text()
        assert 'seed 0 failed; seed 1 waiting' in text
        assert 'Runs without a result' in text
    states = {run['name']: run['state'] for run in json.loads(paths['json'].read_text())['runs']}
    assert list(states.values()) == ['finished', 'finished', 'failed', 'finished', 'finished', 'waiting']
    console = Console(record=True, width=160)
    print_report(suite, read_results(suite), console)
    watch(lambda: read_results(suite), console)
    shown = console.export_text()
    assert 'seed 0 failed; seed 1 waiting' in shown
    assert shown.count('the loss is <nan>') == 2


def test_status_is_watched_until_no_run_is_left(suite, monkeypatch):
    """From another terminal; what is left here are one that waits and one that has failed."""
    states = read_results(suite)
    done = [replace(state, state='failed' if state.state == 'waiting' else state.state) for state in states]
    answers, slept = [states, states, done], []
    monkeypatch.setattr('attn_plugins.benchmark.progress.time.sleep', slept.append)
    console = Console(record=True, width=160)
    watch(lambda: answers.pop(0), console, 5)
    assert slept == [5, 5] and not answers
    assert console.export_text().count('again every 5 s') == 2


def test_one_seed_shows_no_gain(project):
    suite = read_suite(project.suite(configs=dict(toy=dict(config='toy.py'))))
    for run, value in zip(suite.runs, (90.0, 95.0), strict=True):
        project.put_result(run, value)
    for path in write_report(suite, read_results(suite)).values():
        assert 'One seed shows no gain' in path.read_text()
    assert '| +5.00 (n = 1) |' in (suite.folder / 'report.md').read_text()


def test_no_seed_with_a_finite_score_at_all(project):
    suite = read_suite(project.suite(seeds=[0, 1], configs=dict(toy=dict(config='toy.py'))))
    for run in suite.runs:
        project.put_result(run, math.nan)
    text = write_report(suite, read_results(suite))['html'].read_text()
    shared = 'toy/none, toy/ca: 2 of 2 seeds without a finite score.'
    assert f'There is no finished pair to compare yet. {shared}' in text
    assert 'no seed in common' in text
    assert 'ca minus none: of ca, 2 of 2 seeds without a finite score; of none, 2 of 2' in text
    assert Page(text).open == []


def test_a_report_before_anything_has_finished(project):
    suite = read_suite(project.suite())
    text = write_report(suite, read_results(suite))['html'].read_text()
    assert 'no finished pair to compare' in text
    assert '<svg' not in text


def test_results_of_different_machines_are_told_apart(project):
    suite = read_suite(project.suite(configs=dict(toy=dict(config='toy.py'))))
    for run, commit in zip(suite.runs, ('1' * 40, '2' * 40), strict=True):
        project.put_result(run, 90.0, made_with=dict(git_commit=commit))
    text = write_report(suite, read_results(suite))['md'].read_text()
    assert '1' * 40 in text and '2' * 40 in text
