"""Gates as a picture: a row per image and layer, a column per model, each gate drawn over what it depends on."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from attn_plugins.visualization.figure import CELL, GREY, colour_bar, grid, plain, show_image
from attn_plugins.visualization.gates import Gate
from attn_plugins.visualization.picture import Picture
from attn_plugins.visualization.subject import Subject

ROWS, COLUMNS = '#1f77b4', '#ff7f0e'
CAPTION = (
    'What each layer multiplied its map by for this image (a norm layer: the finished batch norm). Per channel: sorted. Per row '
    'and column: mean over the other axis and the channels, the band from the 10th to the 90th percentile of the channels. '
    'Maps: mean over the channels.'
)
NO_GATE = (
    ' A layer that does something else than multiply shows by how much it changed each place, |y - x| / |x|.'
)


# Cells of a line where one model's layers stand side by side.
ACROSS = 4


@dataclass(frozen=True)
class Row:
    """One image and gates side by side: those of one layer, a model each, or of several layers of the only model."""

    picture: Picture
    gates: Sequence[Gate | None]


def rows_of(picture: Picture, gates: Sequence[Sequence[Gate]]) -> list[Row]:
    """Rows from the gates of one image, model by model."""
    if len(gates) == 1:
        return [Row(picture, gates[0][i : i + ACROSS]) for i in range(0, len(gates[0]), ACROSS)]
    return [Row(picture, line) for line in zip_longest(*gates)]


def draw_gates(subjects: Sequence[Subject], rows: Sequence[Row], path: Path) -> None:
    """Writes the picture."""
    gates = [gate for row in rows for gate in row.gates if gate is not None]
    drawn = [values for gate in gates if gate.factor is not None for values in _drawn(gate)]
    span = (min(map(np.min, drawn)), max(map(np.max, drawn))) if drawn else (0, 1)
    changed = [gate.change for gate in gates if gate.factor is None]
    most = max((float(change.max()) for change in changed), default=1)
    weights = ', '.join(f'{subject.name} {subject.weights}' for subject in subjects)
    caption = f'{CAPTION}{NO_GATE if changed else ""} Weights: {weights}.'
    columns = 1 + max(len(row.gates) for row in rows)
    with grid(len(rows), columns, path, caption, cell=(CELL * 1.15, CELL)) as (figure, axes):
        maps = {}
        for number, (line, row) in enumerate(zip(axes, rows, strict=True)):
            if number == 0 or row.picture is not rows[number - 1].picture:
                show_image(line[0], row.picture.pixels)
                line[0].set_title('image' if number == 0 else '')
                line[0].set_xlabel(row.picture.name, color=GREY)
            else:
                line[0].axis('off')
            for cell, gate, subject in zip_longest(line[1:], row.gates, subjects):
                if gate is None:
                    cell.axis('off')
                    continue
                name = '' if number or subject is None or len(subjects) == 1 else subject.name
                cell.set_title(f'{name}\n{gate.layer}\n{gate.type}, {_size(gate)}'.strip(), fontsize=6.5)
                maps |= _draw(cell, gate, span, most)
        if len(subjects) == 1:
            figure.suptitle(subjects[0].name, fontweight='bold', fontsize=8)
        for label, image in maps.items():
            colour_bar(figure, image, axes, label)


def _drawn(gate: Gate) -> list[np.ndarray]:
    """The values of a gate that are drawn: per row and per column its mean and spread, per channel, or per place."""
    factor = gate.factor.numpy()
    if gate.kind == 'channels':
        return [np.sort(factor.mean((1, 2)))[::-1]]
    if gate.kind == 'strips':
        return [
            np.stack([each.mean(0), *np.percentile(each, (10, 90), axis=0)])
            for each in (factor.mean(2), factor.mean(1))
        ]
    return [factor.mean(0)]


def _draw(cell: Axes, gate: Gate, span: tuple[float, float], most: float) -> dict:
    """Draws a gate; returns what has a colour bar, by its label."""
    if gate.kind == 'none':
        plain(cell)
        return {'relative change': cell.imshow(gate.change.numpy(), cmap='magma', vmin=0, vmax=most)}
    values = _drawn(gate)
    if gate.kind == 'channels':
        numbers = np.arange(len(values[0]))
        cell.fill_between(numbers, values[0], span[0], step='mid', color=ROWS, alpha=0.25, linewidth=0)
        cell.step(numbers, values[0], where='mid', color=ROWS, linewidth=1)
        cell.set_xlabel('channels, sorted', fontsize=6.5)
    elif gate.kind == 'strips':
        for (mean, low, high), colour, label in zip(values, (ROWS, COLUMNS), ('row', 'column'), strict=True):
            places = np.arange(len(mean))
            cell.fill_between(places, low, high, color=colour, alpha=0.2, linewidth=0)
            cell.plot(places, mean, color=colour, linewidth=1.3, marker='.', markersize=4, label=label)
        cell.legend(frameon=False, fontsize=6.5, loc='best', handlelength=1.2)
        cell.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        cell.set_xlabel('row (from the top), column (from the left)', fontsize=6.5)
    else:
        plain(cell)
        return {'factor': cell.imshow(values[0], cmap='viridis', vmin=span[0], vmax=span[1])}
    margin = 0.05 * (span[1] - span[0] or 1)
    cell.set_ylim(span[0] - margin, span[1] + margin)
    cell.spines[['top', 'right']].set_visible(False)
    cell.tick_params(labelsize=6.5)
    return {}


def _size(gate: Gate) -> str:
    height, width = gate.change.shape
    channels = '' if gate.factor is None else f'{len(gate.factor)} × '
    return f'{channels}{height} × {width}'
