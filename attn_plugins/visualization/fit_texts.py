"""Breaks the titles and labels of a grid of pictures to lines that are no wider than their cells."""

import re
import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

# Inches between two lines of a text of one point.
LINE = 1.25 / 72
# A line ends after one of these, as the names of layers and presets have no spaces.
ENDS = re.compile(r'(?<=[\s._,/-])')


def fit_texts(figure: Figure, axes: np.ndarray) -> float:
    """Breaks what is wider than its cell, or higher in a label at the side.

    Args:
        figure: The figure.
        axes: Its cells, (rows, columns).

    Returns:
        float: Inches by which the rows have become higher together.
    """
    figure.draw_without_rendering()
    more = 0.0
    for row in axes:
        for part in (_title, _label_below):
            more += max(_fit(figure, part(cell), _size(figure, cell)[0]) for cell in row)
        for cell in row:
            _fit(figure, cell.yaxis.label, _size(figure, cell)[1])
    return more


def _title(cell: Axes) -> Text:
    return cell.title


def _label_below(cell: Axes) -> Text:
    return cell.xaxis.label


def _size(figure: Figure, cell: Axes) -> np.ndarray:
    """Returns the width and height that a cell's texts may have, in pixels: whatever the shape of its picture.

    A colour bar stands close to its picture, so texts end before it.
    """
    place, centre = cell.get_position(original=True), cell.get_position().x0 + cell.get_position().width / 2
    bars = [other.get_position().x0 for other in figure.axes if other.get_label() == '<colorbar>']
    width = min([place.width, *(2 * (x - centre) for x in bars if x > centre)])
    return np.array([width, place.height]) * figure.bbox.size


def _fit(figure: Figure, text: Text, most: float) -> float:
    """Breaks a text to lines of at most `most` pixels, and returns how much higher it has become, in inches."""
    lines = text.get_text().split('\n')
    letters = max(map(len, lines))
    while (length := _length(figure, text)) > most and letters > 1:
        letters = min(letters - 1, int(letters * most / length))
        text.set_text('\n'.join(broken for line in lines for broken in _broken(line, max(1, letters))))
    return LINE * text.get_fontsize() * (text.get_text().count('\n') + 1 - len(lines))


def _length(figure: Figure, text: Text) -> float:
    """Measures a text along its lines."""
    box = text.get_window_extent(figure.canvas.get_renderer())
    return box.height if text.get_rotation() else box.width


def _broken(line: str, letters: int) -> Sequence[str]:
    """Breaks a line; a formula, and what is escaped, stay whole."""
    if re.search(r'(?<!\\)\$', line):
        return [line]
    lines = ['']
    for part in ENDS.split(line):
        if len((lines[-1] + part).rstrip()) <= letters:
            lines[-1] += part
        else:
            lines += [part] if '$' in part else textwrap.wrap(part, letters, drop_whitespace=False)
    return [found.rstrip() for found in lines if found.strip()] or [line]
