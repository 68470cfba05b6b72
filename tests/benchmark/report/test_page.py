"""The report in a browser, wide and narrow, light and dark: headless Chromium runs a probe in a copy of the page."""

import json
import re
import shutil
import subprocess
from functools import cache
from html import unescape
from pathlib import Path

import cv2
import numpy as np
import pytest

from attn_plugins.benchmark.report.write import write_report
from attn_plugins.benchmark.results import read_results
from attn_plugins.benchmark.run_folder import PICTURES
from attn_plugins.benchmark.suite import read_suite

CHROMIUM = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), None)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason='there is no Chromium on this machine to show the page in'
)
PROBE = Path(__file__).parent / 'probe.js'
PRESETS = ['none', 'ca', 'se', 'eca', 'cbam', 'iebn', 'bam', 'srm']
# Scores in an order that sorting by letters would get wrong; srm has none.
SCORES = dict(none=90.0, ca=100.0, se=9.5, eca=89.0, cbam=70.0, iebn=95.0, bam=80.0)


@cache
def looks(page: Path, width: int, scheme: str) -> dict:
    """What the probe has found in the page, which has been shown for a while."""
    text = page.read_text().replace(
        '<head>', '<head><script>window.problems = []; onerror = (...e) => { problems.push(e[0]) };</script>'
    )
    if scheme == 'dark':  # the media query alone decides
        text = text.replace('(prefers-color-scheme: dark)', 'all')
    # Headless windows are at least 500 pixels wide: the page is looked at through a frame.
    inner, outer = page.with_name('probed.html'), page.with_name('framed.html')
    inner.write_text(text.replace('</body>', f'<script>{PROBE.read_text()}</script></body>'))
    outer.write_text(
        f'<!DOCTYPE html><iframe src="{inner.name}" style="width:{width}px; height:900px; border:0"></iframe>'
        '<pre id="found"></pre><script>onmessage = e => { found.textContent = e.data }</script>'
    )
    shown = subprocess.run(
        [CHROMIUM, '--headless', '--no-sandbox', '--disable-gpu', f'--user-data-dir={page.parent / "profile"}',
         '--window-size=1600,1000', '--virtual-time-budget=5000', '--dump-dom', outer.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return json.loads(unescape(re.search(r'<pre id="found">(.*)</pre>', shown.stdout, re.DOTALL)[1]))


def put_pictures(run) -> dict:
    """The step of a run that has drawn three images."""
    (run.folder / PICTURES).mkdir(parents=True)
    images = []
    for number in range(3):
        image = dict(name=f'val_{number}.jpg')
        for name in ('truth', 'prediction', 'evidence'):
            file = f'{PICTURES}/{number}_{name}.jpg'
            cv2.imwrite(str(run.folder / file), np.full((64, 96, 3), 60 * number, np.uint8))
            image[name] = dict(file=file, words=f'{number} (0.9), 7 (0.31)', width=96, height=64)
        images.append(image)
    return dict(images=images, why_not='')


@pytest.fixture(scope='module')
def page(tmp_path_factory):
    """Eight presets on two seeds with pictures of most; one has failed, one has drawn nothing."""
    from tests.benchmark.conftest import Project

    folder = tmp_path_factory.mktemp('page')
    project = Project(folder)
    suite = read_suite(
        project.suite(seeds=[0, 1], presets=PRESETS, configs=dict(toy=dict(config=str(project.config)))),
        folder / 'runs',
    )
    for run in suite.runs:
        if run.preset not in SCORES:
            project.put_failure(run, 'the disk is full')
            continue
        curve = dict(loss=[[step, 5 / step] for step in range(1, 50)], validation=[])
        steps = dict(pictures=dict(images=[], why_not='no image files')) if run.preset == 'bam' else {}
        if run.is_shown and not steps:
            steps = dict(pictures=put_pictures(run))
        cost = dict(madds=10**6 * (50 + PRESETS.index(run.preset)))
        project.put_result(
            run, SCORES[run.preset] - run.seed, count=cost, curve=curve, **(steps if run.is_shown else {})
        )
    return write_report(suite, read_results(suite))['html']


@pytest.fixture(
    params=[(1400, 'light'), (1400, 'dark'), (400, 'light'), (400, 'dark')], ids=lambda p: f'{p[0]} {p[1]}'
)
def found(page, request) -> dict:
    return dict(looks(page, *request.param), asked=request.param)


def test_it_is_shown_in_the_asked_width_and_scheme_without_an_error(found):
    width, scheme = found['asked']
    assert found['problems'] == [] and found['width'] == width
    assert (found['paper'] < 128) == (scheme == 'dark')


def test_the_page_does_not_scroll_sideways_and_on_a_narrow_screen_nothing_does(found):
    assert found['overflow'] == 0 and found['outside'] == []
    if found['width'] == 400:
        assert found['scrolling'] == 0


def test_on_a_narrow_screen_every_picture_and_its_caption_is_in_sight(page):
    found = looks(page, 400, 'light')
    assert all(0 <= left < right <= 400 for left, right in found['places'])
    assert len(found['captions']) == 3 * (1 + 6 * 2), 'of each cell, and of each map'
    assert found['columns'] == ['truth', *(name for name in PRESETS if name not in ('srm', 'bam'))] * 3


def test_every_picture_is_there_and_said_in_words(found):
    images = found['images']
    # Of six presets, on three images: prediction and evidence; and the truth once.
    assert len(images) == 3 * (1 + 6 * 2)
    for image in images:
        assert image['alt'] and image['natural'] == [96, 64]
        assert min(image['shown']) > 50 and image['shown'][0] / image['shown'][1] == pytest.approx(
            1.5, rel=0.05
        )
    assert len(found['plots']) == 2 and all(min(size) > 100 for size in found['plots'])


def test_all_references_and_ids_are_whole(found):
    assert found['dangling'] == [] and found['doubled'] == [] and found['references'] > 0


def test_text_can_be_read(found):
    assert found['contrasts'].keys() == {'ink', 'muted', 'bad', 'verdict'}
    assert all(contrast >= 4.5 for contrast in found['contrasts'].values()), found['contrasts']
    assert found['letters'] >= 9, 'pixels of the smallest letters of a plot'


def test_a_click_on_a_columns_name_sorts(found):
    by_name, by_score, back = found['sorted']
    assert by_name == sorted(PRESETS)
    assert by_score == [*sorted(SCORES, key=SCORES.get), 'srm'], 'as numbers, and what is missing last'
    assert back == [*sorted(SCORES, key=SCORES.get, reverse=True), 'srm']
    assert found['directions'] == ['ascending', 'ascending', 'descending']
