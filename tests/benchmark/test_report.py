"""Reports: nothing is dropped, nothing is fetched, and one seed shows no gain."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from rich.console import Console

from attn_plugins.benchmark.progress import watch
from attn_plugins.benchmark.report import print_report, write_report
from attn_plugins.benchmark.results import read_results
from attn_plugins.benchmark.suite import read_suite

VALUES = {('none', 0): 90.0, ('none', 1): 92.0, ('ca', 0): 91.0, ('ca', 1): 94.0}


@pytest.fixture
def suite(project):
    """none and ca finished on two seeds, iebn failed on one and has not run on the other; a name that needs escaping."""
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
    assert '+1.50 ± 0.71 (n = 2, 95 %: −4.85 to +7.85)' in row
    assert '| 2.000 M | 51.0 M | 1 min 40 s | 900 MB (process) |' in row
    content = json.loads(paths['json'].read_text())
    assert content['comparisons'][0]['presets'][1]['difference']['mean'] == 1.5
    assert Page(paths['html'].read_text()).orders[7:10] == ['ca', '92.5', '1.5']


@pytest.fixture
def controlled(project):
    """ca beside eca, the twin `deep` and srm, which has not run, on two seeds."""
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
    table = text[text.index('### ca beside its controls') : text.index('Differences are paired by seed')]
    rows = [line for line in table.splitlines() if line.startswith('|')]
    # ca - eca: 0.5, 1.5; ca - deep: -0.5, 2.5; t(0.975, 1) = 12.7062.
    gain = '+1.50 ± 0.71 (n = 2, 95 %: −4.85 to +7.85)'
    assert rows == [
        '| preset | minus none | ca minus it | least that could show |',
        '|---|--:|--:|--:|',
        f'| ca | {gain} | – | – |',
        '| eca | +0.50 ± 0.00 (n = 2, 95 %: +0.50 to +0.50) | +1.00 ± 0.71 (n = 2, 95 %: −5.35 to +7.35) | 6.35 |',
        '| deep | +0.50 ± 1.41 (n = 2, 95 %: −12.21 to +13.21) | +1.00 ± 2.12 (n = 2, 95 %: −18.06 to +20.06) | 19.06 |',
        '| srm | – | – | – |',
    ]
    assert '| deep (none with a\\|b=<i>) |' in text
    page = paths['html'].read_text()
    assert Page(page).open == [] and Page(page).tags.count('table') == 3
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
    for path in paths.values():
        assert 'Against its controls, toy/ca is not told apart from eca' in path.read_text()
    console = Console(record=True, width=160)
    print_report(controlled, read_results(controlled), console)
    shown = console.export_text()
    assert 'ca beside its controls' in shown and '6.35' in shown and 'none with a|b=<i>' in shown


def test_a_report_without_controls_has_no_word_of_them(suite):
    for suffix in ('md', 'html'):
        text = write_report(suite, read_results(suite))[suffix].read_text()
        assert (
            'beside its controls' not in text
            and 'Against its controls' not in text
            and 'Least that' not in text
        )


def test_controls_of_one_seed_have_no_interval(project):
    suite = read_suite(
        project.suite(
            presets=['none', 'ca', 'se'], configs=dict(toy=dict(config='toy.py')), controls=dict(ca=['se'])
        )
    )
    for run, value in zip(suite.runs, (90.0, 95.0, 94.0), strict=True):
        project.put_result(run, value)
    text = write_report(suite, read_results(suite))['md'].read_text()
    assert '| se | +4.00 (n = 1) | +1.00 (n = 1) | – |' in text
    assert 'toy/ca has one seed (n = 1), which tells it apart from nothing, in common with se (+1.00)' in text


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


def test_a_report_before_anything_has_finished(project):
    suite = read_suite(project.suite())
    text = write_report(suite, read_results(suite))['html'].read_text()
    assert 'no finished pair' in text
    assert '<svg' not in text


def test_results_of_different_machines_are_told_apart(project):
    suite = read_suite(project.suite(configs=dict(toy=dict(config='toy.py'))))
    for run, commit in zip(suite.runs, ('1' * 40, '2' * 40), strict=True):
        project.put_result(run, 90.0, made_with=dict(git_commit=commit))
    text = write_report(suite, read_results(suite))['md'].read_text()
    assert '1' * 40 in text and '2' * 40 in text
