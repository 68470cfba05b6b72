"""Draws accuracy over cost, and learning curves, as SVG elements in the colours of their page."""

import io
import re
from html import escape

import matplotlib

matplotlib.use('Agg')
from matplotlib import pyplot as plt
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator, ScalarFormatter

from attn_plugins.benchmark.metrics import headline
from attn_plugins.benchmark.report.compare import Comparison, PresetResult
from attn_plugins.benchmark.suite_presets import BASELINE

# Drawn in these colours, which the page then replaces by its own, light or dark.
INK, FAINT, PLAIN = '#010101', '#020202', '#030303'
PRESETS = tuple(f'#0{number}0{number}0{number}' for number in range(4, 10)) + ('#0a0a0a', '#0b0b0b')
PAGE_COLOURS = {INK: 'var(--ink)', FAINT: 'var(--line)', PLAIN: 'var(--muted)'} | {
    colour: f'var(--preset-{number})' for number, colour in enumerate(PRESETS, 1)
}
# Points (1/72 inch) that a line of labels and a letter need; longer names are cut, and whole in the legend of curves.
LABEL_HEIGHT, LETTER_WIDTH, LETTERS = 11, 6, 16
# Inches; two stand side by side on a wide page, and on a narrow one a letter is still 10 pixels high.
SIZE = (4.7, 3.3)
# Inches of a line of the legend, of a letter in it, and of what stands beside the letters.
LEGEND_LINE, LETTER, HANDLE = 0.2, 0.09, 0.6
TICKS = 5
# Validations from which on their metric is a curve.
OFTEN = 4
# Of the second eight presets; beyond them styles repeat.
DASHES = ('solid', 'dashed', 'dotted')
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
    """Draw the score over multiply-adds, one point per preset, with the standard deviation as a bar from two seeds on.

    Multiply-adds are shown as what they are above the plain model's, in percent, where it has been counted: a layer of
    attention adds so little that ticks in millions would make it look like much.

    Returns:
        str | None: An `<svg>` element, or None when fewer than two presets have both numbers.
    """
    points = [result for result in comparison.presets if result.score and result.madds is not None]
    if len(points) < 2:
        return None
    costs, label = _costs(points)
    # The salt keeps the ids of several plots on one page apart, and the same plot the same text.
    with plt.rc_context({**STYLE, 'svg.hashsalt': f'cost {comparison.name}'}):
        figure, axes = plt.subplots(figsize=SIZE, layout='constrained')
        colours = _colours(comparison)
        for point, cost in zip(points, costs, strict=True):
            axes.errorbar(
                cost,
                point.score.mean,
                yerr=point.score.std,
                capsize=3,
                markersize=7,
                linewidth=1.2,
                marker='s' if point.preset == BASELINE else 'o',
                color=colours[point.preset][0],
            )
        axes.set_xlabel(f'{label}{_shape(comparison)}')
        axes.set_ylabel(_axis(comparison))
        axes.margins(x=0.22, y=0.16)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(TICKS))
            axis.set_major_formatter(_plain_numbers())
        axes.grid(linewidth=0.6)
        axes.set_axisbelow(True)
        _label(figure, axes, points, costs)
        return _svg(figure, f'{comparison.name}: {comparison.metric.name} over multiply-adds')


def _costs(points: list[PresetResult]) -> tuple[list[float], str]:
    """Give the points' places on the axis of cost, and the words for what it shows."""
    plain = next((point.madds for point in points if point.preset == BASELINE), 0)
    if plain:
        return [100 * (point.madds / plain - 1) for point in points], f'multiply-adds above {BASELINE}, %'
    return [point.madds / 1e6 for point in points], 'multiply-adds of one image, million'


def learning_curves_svg(comparison: Comparison) -> str | None:
    """Draw a line per finished run: its score at validations where there are enough of them, else its training loss.

    Returns:
        str | None: An `<svg>` element, or None when no run has a curve.
    """
    results = [result for result in comparison.presets if result.curves]
    validated = comparison.metric and all(
        len(curve['validation']) >= OFTEN for result in results for curve in result.curves.values()
    )
    if not any(curve['loss'] for result in results for curve in result.curves.values()):
        return None
    with plt.rc_context({**STYLE, 'svg.hashsalt': f'curves {comparison.name}'}):
        figure, axes = plt.subplots(figsize=SIZE, layout='constrained')
        colours = _colours(comparison)
        for result in results:
            colour, dashes = colours[result.preset]
            for curve in result.curves.values():
                points = _metric_curve(curve) if validated else curve['loss']
                axes.plot(
                    *zip(*points, strict=True),
                    color=colour,
                    linestyle=dashes,
                    linewidth=1.1,
                    label=_as_it_is(result.preset),
                )
        axes.set_xlabel('iteration')
        axes.set_ylabel(_axis(comparison) if validated else 'training loss')
        if not validated:
            axes.set_yscale('log')
            low, high = axes.get_ylim()
            # Within a decade the ticks of a logarithmic axis may be one or none.
            few = high / low < 10
            axes.yaxis.set_major_locator(MaxNLocator(TICKS) if few else LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(_plain_numbers())
        axes.xaxis.set_major_locator(MaxNLocator(TICKS, integer=True))
        axes.grid(linewidth=0.6)
        axes.set_axisbelow(True)
        _add_legend(figure, dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True)))
        return _svg(figure, f'{comparison.name}: learning curves')


def _plain_numbers() -> ScalarFormatter:
    """Write ticks in full: neither as multiples of a power nor as differences from a number beside the axis."""
    formatter = ScalarFormatter(useOffset=False)
    formatter.set_scientific(False)
    return formatter


def _add_legend(figure, lines: dict) -> None:
    """Write the names below the curves, in as many columns as they leave room for; the figure becomes higher."""
    columns = max(1, min(len(lines), int(SIZE[0] / (HANDLE + LETTER * max(map(len, lines))))))
    legend = figure.legend(
        lines.values(), lines.keys(), loc='outside lower left', ncols=columns, frameon=False, handlelength=2.5
    )
    for handle in legend.get_lines():
        handle.set_linewidth(2.2)
    figure.set_figheight(SIZE[1] + LEGEND_LINE * -(-len(lines) // columns))


def _as_it_is(name: str) -> str:
    """Escape what matplotlib would read as mathematics."""
    return name.replace('$', r'\$')


def _colours(comparison: Comparison) -> dict[str, tuple[str, str]]:
    """Give each preset of a comparison a colour and a line style, the same in every picture of it."""
    others = [result.preset for result in comparison.presets if result.preset != BASELINE]
    styles = {
        name: (PRESETS[i % len(PRESETS)], DASHES[i // len(PRESETS) % len(DASHES)])
        for i, name in enumerate(others)
    }
    return {BASELINE: (PLAIN, 'solid'), **styles}


def _metric_curve(curve: dict[str, list]) -> list[tuple[int, float]]:
    return [(step, headline(metrics).value) for step, metrics in curve['validation']]


def _axis(comparison: Comparison) -> str:
    return comparison.metric.name + (', %' if comparison.metric.unit else '')


def _svg(figure, title: str) -> str:
    """Write the figure as an element, and close it."""
    svg = io.StringIO()
    figure.savefig(
        svg, format='svg', transparent=True, metadata=dict.fromkeys(('Creator', 'Date', 'Format', 'Type'))
    )
    plt.close(figure)
    return _for_page(svg.getvalue(), title)


def _shape(comparison: Comparison) -> str:
    return f' ({" × ".join(map(str, comparison.input_shape[1:]))})' if comparison.input_shape else ''


def _label(figure, axes, points: list[PresetResult], costs: list[float]):
    """Write each preset beside its point, lower ones first, moved up where they would cover each other."""
    figure.draw_without_rendering()
    to_points = 72 / figure.dpi
    placed: list[tuple[float, float, float]] = []
    for point, cost in sorted(zip(points, costs, strict=True), key=lambda placed: placed[0].score.mean):
        name = point.preset if len(point.preset) <= LETTERS else f'{point.preset[: LETTERS - 1]}…'
        x, y = axes.transData.transform((cost, point.score.mean)) * to_points
        end, label_y = x + LETTER_WIDTH * (len(name) + 2), y + 5
        for other_x, other_end, other_y in sorted(placed, key=lambda other: other[2]):
            if other_x < end and x < other_end and abs(label_y - other_y) < LABEL_HEIGHT:
                label_y = other_y + LABEL_HEIGHT
        placed.append((x, end, label_y))
        axes.annotate(
            _as_it_is(name),
            (cost, point.score.mean),
            (7, label_y - y),
            textcoords='offset points',
        )


def _for_page(svg: str, title: str) -> str:
    """Cut the XML header off, scale to the page's width, name the picture and hand its colours to the page.

    Ids that nothing refers to, as `xtick_1`, are the same in every plot; they become classes, as a page has an id once.
    """
    svg = svg[svg.index('<svg') :]
    used = set(re.findall(r'(?:href="|url\()#([^")]+)', svg))
    svg = re.sub(
        r'\bid="([^"]+)"', lambda found: found[0] if found[1] in used else f'class="{found[1]}"', svg
    )
    box = re.search(r'viewBox="[^"]+"', svg)[0]
    svg = f'<svg {box} role="img" aria-label="{escape(title)}">' + svg[svg.index('>') + 1 :]
    for drawn, wanted in PAGE_COLOURS.items():
        svg = svg.replace(drawn, wanted)
    return svg
