"""The report's plots can be read: ticks in every range, names of all lines, labels apart."""

import re

import pytest

from attn_plugins.benchmark.report.compare import compare
from attn_plugins.benchmark.report.plot import accuracy_cost_svg, learning_curves_svg
from attn_plugins.benchmark.results import read_results
from attn_plugins.benchmark.suite import read_suite

NAMES = ['none', 'ca', 'se', 'eca', 'cbam', 'iebn', 'bam', 'sge', 'gc', 'srm']
LONG = {'a-name-of-a-variant-of-a-user-that-is-long': dict(cfg_options={'a': 1})}


@pytest.fixture
def comparison(project):
    """Presets whose losses, scores and costs have a range each."""

    def make(presets, loss=(4.0, 0.5), score=90.0, madds=10**6):
        suite = read_suite(
            project.suite(seeds=[0, 1], presets=presets, configs=dict(toy=dict(config='toy.py')))
        )
        for number, run in enumerate(suite.runs):
            points = [[step, loss[0] + (loss[1] - loss[0]) * step / 100] for step in range(0, 101, 10)]
            cost = dict(madds=50_000_000 + madds * (number % len(presets)))
            project.put_result(run, score + 1e-3 * number, count=cost, curve=dict(loss=points, validation=[]))
        [found] = compare(suite, read_results(suite))
        return found

    return make


def ticks(svg: str) -> dict[str, list[str]]:
    """The texts of each axis's ticks; matplotlib writes them as elements."""
    found = {}
    for axis in 'xy':
        groups = re.findall(rf'<g class="{axis}tick_\d+">.*?</text>', svg, re.DOTALL)
        found[axis] = [re.search(r'>([^<>]+)</text>', group)[1] for group in groups]
    return found


@pytest.mark.parametrize('loss', [(4.0, 0.5), (2.2, 1.7), (2.3, 2.2999), (900.0, 0.002), (1.0, 1.0)])
def test_a_curve_has_ticks_in_any_range(comparison, loss):
    svg = learning_curves_svg(comparison(NAMES[:3], loss))
    assert all(len(texts) >= 3 for texts in ticks(svg).values()), ticks(svg)
    assert not re.search(r'>[+−]?\d*(e|\+)[+−\d]', svg), (
        'a number beside the axis is to be added or multiplied'
    )


@pytest.mark.parametrize(('score', 'madds'), [(90.0, 10**6), (90.0, 1), (0.0, 0)])
def test_scores_and_costs_have_ticks_in_any_range(comparison, score, madds):
    found = ticks(accuracy_cost_svg(comparison(NAMES[:3], score=score, madds=madds)))
    assert all(3 <= len(texts) <= 7 for texts in found.values()), found
    assert all(len(set(texts)) == len(texts) for texts in found.values())


@pytest.mark.parametrize('presets', [NAMES[:1], NAMES[:3], NAMES, [*NAMES[:3], LONG]])
def test_the_legend_names_every_line_once_and_in_a_style_of_its_own(comparison, presets):
    names = [preset if isinstance(preset, str) else next(iter(preset)) for preset in presets]
    svg = learning_curves_svg(comparison(presets))
    legend = svg[svg.index('<g class="legend_1">') :]
    assert re.findall(r'>([^<>\s]+)</text>', legend) == names
    styles = re.findall(r'<path d="[^"]+" style="([^"]+)"', legend)
    assert len(set(styles)) == len(names)
    width = float(re.search(r'viewBox="0 0 (\S+)', svg)[1])
    assert all(float(x) < width for x in re.findall(r'translate\((\S+) ', legend))


def test_costs_are_what_comes_on_top_of_the_plain_model(comparison):
    one = accuracy_cost_svg(comparison(['none', 'ca', 'se'], madds=10**6))
    assert 'multiply-adds above none, %' in one and 'million' not in one
    assert 'multiply-adds of one image, million' in accuracy_cost_svg(comparison(['ca', 'se'], madds=10**6))


def test_labels_of_points_at_one_cost_are_apart_and_long_ones_are_cut(comparison):
    svg = accuracy_cost_svg(comparison([*NAMES[:5], LONG], madds=0))
    heights = [float(y) for name in NAMES[:5] for y in re.findall(rf'y="(\S+)"[^>]*>{name}</text>', svg)]
    assert len(heights) == 5 and min(abs(a - b) for a in heights for b in heights if a != b) > 8
    assert '>a-name-of-a-var…</text>' in svg
