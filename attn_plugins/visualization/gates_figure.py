"""Draws gates as a picture: those of each model and image side by side, each over the axes that it depends on."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from attn_plugins.visualization.figure import CELL, GREY, colour_bar, grid, plain, show_image
from attn_plugins.visualization.gates import Gate
from attn_plugins.visualization.loaded_model import LoadedModel
from attn_plugins.visualization.picture import Picture

ROWS, COLUMNS = '#1f77b4', '#ff7f0e'
CAPTION = (
    'What each layer multiplied its map by for this image (a norm layer: the finished batch norm). Per '
    'channel: sorted. Per row and column: mean over the other axis and the channels, the band from the 10th '
    'to the 90th percentile of the channels. Maps: mean over the channels.'
)
NO_GATE = (
    ' A layer that does something else than multiply shows by how much it changed each place, |y - x| / |x|.'
)


# Gates per line.
ACROSS = 4


@dataclass(frozen=True)
class Block:
    """The gates of one model for one image."""

    subject: LoadedModel
    picture: Picture
    gates: Sequence[Gate]


def draw_gates(blocks: Sequence[Block], path: Path) -> None:
    """Draws the gates and saves them as a picture."""
    gates = [gate for block in blocks for gate in block.gates]
    drawn = [values for gate in gates if gate.factor is not None for values in _drawn(gate)]
    span = (min(map(np.min, drawn)), max(map(np.max, drawn))) if drawn else (0, 1)
    changed = [gate.change for gate in gates if gate.factor is None]
    most = max((float(change.max()) for change in changed), default=1)
    weights = ', '.join(dict.fromkeys(f'{block.subject.name} {block.subject.weights}' for block in blocks))
    caption = f'{CAPTION}{NO_GATE if changed else ""} Weights: {weights}.'
    lines = [(block, start) for block in blocks for start in range(0, len(block.gates), ACROSS)]
    columns = 1 + min(ACROSS, max(len(block.gates) for block in blocks))
    maps = {}
    with grid(len(lines), columns, path, caption, cell=(CELL * 1.15, CELL)) as (figure, axes):
        for (block, start), (first, *others) in zip(lines, axes, strict=True):
            if start == 0:
                show_image(first, block.picture.pixels)
                first.set_title(block.subject.name, fontweight='bold')
                first.set_xlabel(block.picture.name, color=GREY)
            else:
                first.axis('off')
            for cell, gate in zip_longest(others, block.gates[start : start + ACROSS]):
                if gate is None:
                    cell.axis('off')
                    continue
                cell.set_title(f'{gate.layer}\n{gate.type}, {_size(gate)}', fontsize=6.5)
                maps |= _draw(cell, gate, span, most)
        for label, image in maps.items():
            colour_bar(figure, image, axes, label)


def _drawn(gate: Gate) -> list[np.ndarray]:
    """Returns the values to draw: mean and spread per row and per column, or one value per channel or per place."""
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
    """Draws a gate; returns the images that need a colour bar, by its label."""
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
