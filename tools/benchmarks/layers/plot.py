"""Draws the layers' benchmark: a training step of every layer, eager, compiled and as the authors compute it."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use('Agg')
from matplotlib import pyplot as plt

from benchmarks.layers.measure import COMPILED, EAGER, Measured
from benchmarks.layers.references import AUTHORS, OPENMMLAB

# From top to bottom: the bars of a layer.
BARS = {
    AUTHORS: ("authors' formula", '#9aa5b1'),
    EAGER: ('layer, eager', '#3b76af'),
    COMPILED: ('layer, compiled', '#ef8636'),
    OPENMMLAB: ("OpenMMLab's module", '#5fa55a'),
}
# Height of one bar in inches.
THICK = 0.13
STYLE = {
    'font.size': 9,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'svg.fonttype': 'none',
    'svg.hashsalt': 'layers',
}


def draw(rows: Sequence[Measured], path: Path) -> None:
    """Draws the medians as bars with their quartiles, a panel per size of map, and saves the picture."""
    shapes = list(dict.fromkeys(tuple(row.shape) for row in rows))
    groups = [[row for row in rows if tuple(row.shape) == shape] for shape in shapes]
    heights = [len(group) for group in groups]
    with plt.rc_context(STYLE):
        figure, panels = plt.subplots(
            len(groups),
            figsize=(7, THICK * 5 * sum(heights) + 0.75 * len(groups) + 0.4),
            height_ratios=heights,
            squeeze=False,
            layout='constrained',
        )
        for axes, shape, group in zip(panels[:, 0], shapes, groups, strict=True):
            _draw_panel(axes, group)
            axes.set_title(f'map {" × ".join(map(str, shape))}', loc='left', fontsize=9)
        panels[-1, 0].set_xlabel('milliseconds of a training step, median with quartiles')
        used = [bar for way, bar in BARS.items() if any(_timed(row, way) for row in rows)]
        handles = [plt.Rectangle((0, 0), 1, 1, color=colour) for _, colour in used]
        figure.legend(
            handles, [name for name, _ in used], loc='outside upper center', ncols=len(used), frameon=False
        )
        figure.savefig(path, metadata=dict.fromkeys(('Creator', 'Date', 'Format', 'Type')))
        plt.close(figure)


def _draw_panel(axes, group: Sequence[Measured]) -> None:
    for place, row in enumerate(group):
        ways = [way for way in BARS if _timed(row, way)]
        for i, way in enumerate(ways):
            low, median, high = row.contenders[way].quartiles()
            y = place + (i - (len(ways) - 1) / 2) * 0.2
            axes.barh(y, median, 0.2, color=BARS[way][1])
            axes.plot([low, high], [y, y], color='black', linewidth=0.8)
            axes.annotate(
                f'{median:.3g}', (high, y), (3, 0), textcoords='offset points', va='center', fontsize=7
            )
    axes.set_yticks(range(len(group)), [row.case for row in group])
    axes.set_ylim(len(group) - 0.45, -0.55)
    axes.margins(x=0.1)
    axes.grid(axis='x', linewidth=0.5, alpha=0.5)
    axes.set_axisbelow(True)


def _timed(row: Measured, way: str) -> bool:
    return way in row.contenders and bool(row.contenders[way].milliseconds)
