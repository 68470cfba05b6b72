"""Draws attention maps: a row per image and layer; next to the image each model's maps, a column per power."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from attn_plugins.visualization.attention_maps import LEVELS, LayerMaps
from attn_plugins.visualization.figure import colour_bar, grid, plain, row_label, show_image
from attn_plugins.visualization.loaded_model import LoadedModel
from attn_plugins.visualization.picture import Picture

# Names of the layers if there are this many.
NAMES = ('low', 'mid', 'high')
FORMULA = {'sum': r'$\Sigma_c\,|A_c|^{%d}$', 'max': r'$\max_c\,|A_c|^{%d}$'}
OVER = {'sum': 'summed', 'max': 'the largest'}


@dataclass(frozen=True)
class Row:
    """One image and one layer of each model."""

    picture: Picture
    maps: Sequence[LayerMaps]


def draw_attention_maps(
    subjects: Sequence[LoadedModel],
    rows: Sequence[Row],
    levels: int,
    kind: str,
    powers: Sequence[int],
    path: Path,
) -> None:
    """Draws the attention maps and saves them as a picture.

    Args:
        subjects: The models.
        rows: Image by image, in each the layers from low to high.
        levels: Number of layers of each model.
        kind: 'sum' or 'max'.
        powers: The power of each map of a layer.
        path: The file.
    """
    weights = ', '.join(f'{subject.name} {subject.weights}' for subject in subjects)
    unseen = any(np.isnan(maps.heats[0]).any() for row in rows for maps in row.maps)
    white = '; white is what the network does not see' if unseen else ''
    caption = (
        f"Activation-based attention maps: |A|^p, {OVER[kind]} over the channels, of each layer's output A, in "
        "the layer's "
        'own resolution. Colours are shares of the largest value of each map: they compare places of one map, '
        'not maps or '
        f'models{white}. Weights: {weights}.'
    )
    titles = [(subject.name, p) for subject in subjects for p in powers]
    with grid(len(rows), 1 + len(titles), path, caption) as (figure, axes):
        for i, (line, row) in enumerate(zip(axes, rows, strict=True)):
            show_image(line[0], row.picture.pixels)
            row_label(line[0], _level(i % levels, levels))
            line[0].set_xlabel(row.picture.name)
            heats = [(maps, heat) for maps in row.maps for heat in maps.heats]
            for cell, (maps, heat) in zip(line[1:], heats, strict=True):
                drawn = cell.imshow(heat, cmap='magma', vmin=0, vmax=1, interpolation='nearest')
                dead = '' if np.nanmax(heat) else '\n0 everywhere'
                cell.set_xlabel(f'{maps.layer}, {maps.size[0]} × {maps.size[1]}{dead}', fontsize=6.5)
                plain(cell)
        axes[0, 0].set_title('image')
        for cell, (name, p) in zip(axes[0, 1:], titles, strict=True):
            escaped = name.replace('$', r'\$')
            cell.set_title(f'{escaped}\n{FORMULA[kind] % p}', fontweight='bold')
        colour_bar(figure, drawn, axes, "share of each map's largest")


def _level(index: int, levels: int) -> str:
    return NAMES[index] if levels == LEVELS else f'layer {index + 1} of {levels}'
