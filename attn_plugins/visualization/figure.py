"""Draws grids of pictures for papers and READMEs: the parts that all figures share."""

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import matplotlib

matplotlib.use('Agg')
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from attn_plugins.visualization.fit_texts import fit_texts

STYLE = {'font.size': 8, 'axes.titlesize': 8, 'axes.labelsize': 8, 'figure.dpi': 100, 'savefig.dpi': 160}
CELL = 1.75  # inches, width and height of one picture
EDGE = 0.04  # inches that stay free around the outermost texts
GREY, RED = '#555555', '#d62728'


@contextmanager
def grid(
    rows: int, columns: int, path: Path, caption: str, cell: tuple[float, float] = (CELL, CELL)
) -> Iterator:
    """Makes a figure with a grid of equal cells and a caption below; saves it as PNG at the end of the block.

    Yields:
        tuple[Figure, np.ndarray]: The figure and the axes, (rows, columns).
    """
    width = columns * cell[0] + 1.0
    # About 18 letters of the caption's size go into an inch.
    lines = textwrap.wrap(caption, int(18 * width))
    below = 0.16 * len(lines) + 0.12
    height = rows * (cell[1] + 0.3) + 0.3 + below
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            rows, columns, figsize=(width, height), squeeze=False, layout='constrained'
        )
        _keep_free(figure, below)
        try:
            yield figure, axes
            for _ in range(2):  # in higher rows pictures have another size
                figure.set_figheight(figure.get_figheight() + fit_texts(figure, axes))
                _keep_free(figure, below)
            figure.text(
                0.01, 0.06 / figure.get_figheight(), '\n'.join(lines), color=GREY, fontsize=7.5, va='bottom'
            )
            figure.savefig(path, metadata={'Software': None}, bbox_inches=_whole(figure))
        finally:
            plt.close(figure)


def _keep_free(figure: Figure, below: float) -> None:
    """Keeps the pictures out of the lowest inches, which are for the caption."""
    share = below / figure.get_figheight()
    figure.get_layout_engine().set(rect=(0, share, 1, 1 - share), w_pad=0.03, h_pad=0.03)


def _whole(figure: Figure) -> Bbox:
    """Returns the figure's box in inches, wider where a text would reach over its edge."""
    figure.draw_without_rendering()
    return Bbox.union([figure.bbox_inches, figure.get_tightbbox().padded(EDGE)])


def plain(axes: Axes) -> None:
    """Removes the ticks and the frame from a picture's axes."""
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def show_image(axes: Axes, pixels: np.ndarray) -> None:
    """Shows an image, (H, W, 3)."""
    axes.imshow(pixels, interpolation='nearest')
    plain(axes)


def draw_box(axes: Axes, box: Sequence[float]) -> None:
    """Draws a box x1, y1, x2, y2 in pixels."""
    x1, y1, x2, y2 = map(float, box)
    axes.add_patch(
        plt.Rectangle((x1 - 0.5, y1 - 0.5), x2 - x1, y2 - y1, fill=False, color='white', linewidth=2.2)
    )
    axes.add_patch(
        plt.Rectangle((x1 - 0.5, y1 - 0.5), x2 - x1, y2 - y1, fill=False, color=RED, linewidth=1.1)
    )


def colour_bar(figure: Figure, drawn, axes, label: str) -> None:
    """Draws a colour bar beside the given axes, equally thick in every figure."""
    bar = figure.colorbar(
        drawn, ax=axes, label=label, aspect=30, pad=0.01, fraction=0.04, shrink=min(1, 3 / len(axes))
    )
    bar.outline.set_visible(False)
    bar.solids.set_alpha(1)


def row_label(axes: Axes, text: str) -> None:
    """Writes a row's label to the left of its first cell."""
    axes.set_ylabel('\n'.join(textwrap.wrap(text, 26)), color=GREY, fontsize=7.5)
