"""The accuracy-cost plot of one config, as an SVG element that takes its colours from the page it stands in."""

import io
import re
from html import escape

import matplotlib

matplotlib.use('Agg')
from matplotlib import pyplot as plt

from attn_plugins.benchmark.compare import Comparison, Line
from attn_plugins.benchmark.suite import BASELINE

# Drawn in these colours, which the page then replaces by its own, light or dark.
INK, FAINT, PLAIN, ACCENT = '#010101', '#020202', '#030303', '#040404'
PAGE_COLOURS = {INK: 'var(--ink)', FAINT: 'var(--line)', PLAIN: 'var(--muted)', ACCENT: 'var(--accent)'}
# Points (1/72 inch) a label needs for itself.
LABEL_HEIGHT, LABEL_WIDTH = 11, 60
STYLE = {
    'svg.fonttype': 'none',
    'font.size': 10,
    'font.family': 'sans-serif',
    'text.color': INK,
    'axes.labelcolor': INK,
    'axes.edgecolor': PLAIN,
    'xtick.color': PLAIN,
    'ytick.color': PLAIN,
    'xtick.labelcolor': INK,
    'ytick.labelcolor': INK,
    'grid.color': FAINT,
    'axes.spines.top': False,
    'axes.spines.right': False,
}


def accuracy_cost_svg(comparison: Comparison) -> str | None:
    """Headline metric over multiply-adds, one point per preset, with the standard deviation as a bar from two seeds on.

    Returns:
        str | None: An `<svg>` element, or None when fewer than two presets have both numbers.
    """
    lines = [line for line in comparison.lines if line.score and line.madds is not None]
    if len(lines) < 2:
        return None
    # The salt keeps the ids of several plots on one page apart, and the same plot the same text.
    with plt.rc_context({**STYLE, 'svg.hashsalt': comparison.key}):
        figure, axes = plt.subplots(figsize=(4.8, 3.3), layout='constrained')
        for line in lines:
            axes.errorbar(
                line.madds / 1e6,
                line.score.mean,
                yerr=line.score.std,
                capsize=3,
                markersize=7,
                linewidth=1.2,
                marker='s' if line.preset == BASELINE else 'o',
                color=PLAIN if line.preset == BASELINE else ACCENT,
            )
        axes.set_xlabel(f'multiply-adds of one image{_shape(comparison)}, million')
        axes.set_ylabel(comparison.metric.name + (', %' if comparison.metric.unit else ''))
        axes.margins(x=0.22, y=0.16)
        axes.ticklabel_format(useOffset=False)
        axes.grid(linewidth=0.6)
        axes.set_axisbelow(True)
        _label(figure, axes, lines)
        svg = io.StringIO()
        figure.savefig(
            svg, format='svg', transparent=True, metadata=dict.fromkeys(('Creator', 'Date', 'Format', 'Type'))
        )
        plt.close(figure)
    return _for_page(svg.getvalue(), f'{comparison.key}: {comparison.metric.name} over multiply-adds')


def _shape(comparison: Comparison) -> str:
    return f' ({" × ".join(map(str, comparison.input_shape[1:]))})' if comparison.input_shape else ''


def _label(figure, axes, lines: list[Line]):
    """Write each preset beside its point, lower ones first, moved up where they would cover each other."""
    figure.draw_without_rendering()
    to_points = 72 / figure.dpi
    placed: list[tuple[float, float]] = []
    for line in sorted(lines, key=lambda line: line.score.mean):
        x, y = axes.transData.transform((line.madds / 1e6, line.score.mean)) * to_points
        label_y = y + 5
        for other_x, other_y in placed:
            if abs(other_x - x) < LABEL_WIDTH and abs(label_y - other_y) < LABEL_HEIGHT:
                label_y = other_y + LABEL_HEIGHT
        placed.append((x, label_y))
        axes.annotate(
            line.preset, (line.madds / 1e6, line.score.mean), (7, label_y - y), textcoords='offset points'
        )


def _for_page(svg: str, title: str) -> str:
    """Cut the XML header off, scale to the page's width, name the picture and hand its colours to the page."""
    svg = svg[svg.index('<svg') :]
    box = re.search(r'viewBox="[^"]+"', svg)[0]
    svg = f'<svg {box} role="img" aria-label="{escape(title)}">' + svg[svg.index('>') + 1 :]
    for drawn, wanted in PAGE_COLOURS.items():
        svg = svg.replace(drawn, wanted)
    return svg
