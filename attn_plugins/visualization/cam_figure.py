"""Draws class activation maps as a picture: a row per image and target, a column per model."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from attn_plugins.visualization.cam import METHODS, WITHOUT_TARGET, Cam
from attn_plugins.visualization.figure import colour_bar, draw_box, grid, plain, row_label, show_image
from attn_plugins.visualization.loaded_model import LoadedModel
from attn_plugins.visualization.picture import Picture
from attn_plugins.visualization.target import SAME_OBJECT, Target

EXPLAINED = {
    'mmpretrain': "the class's logit; in brackets its probability, a softmax of all",
    'mmseg': "the class's mean logit over the places that are predicted as it; in brackets their share of the image",
    'mmdet': "the box's class score, in brackets",
}


@dataclass(frozen=True)
class Row:
    """One image and target: a map per model, None for a model that has no such box."""

    picture: Picture
    cells: Sequence[tuple[Target, Cam] | None]


def draw_cams(
    subjects: Sequence[LoadedModel], rows: Sequence[Row], method: str, masks: int, path: Path
) -> None:
    """Draws the maps and saves them as a picture."""
    caption = _caption(subjects, method, masks)
    with grid(len(rows), len(subjects) + 1, path, caption) as (figure, axes):
        for line, row in zip(axes, rows, strict=True):
            show_image(line[0], row.picture.pixels)
            row_label(line[0], row.picture.name)
            for cell, found in zip(line[1:], row.cells, strict=True):
                show_image(cell, row.picture.pixels)
                if found is None:
                    cell.set_xlabel(f'no box here (IoU ≥ {SAME_OBJECT})')
                    continue
                target, cam = found
                drawn = cell.imshow(cam.heat, cmap='jet', alpha=0.5, vmin=0, vmax=1)
                cell.set_xlabel(_label(target, cam, method))
                if target.box is not None:
                    draw_box(cell, target.box)
        axes[0, 0].set_title('image')
        for cell, subject in zip(axes[0, 1:], subjects, strict=True):
            cell.set_title(subject.name, fontweight='bold')
        for cell in axes.flat:
            plain(cell)
        colour_bar(figure, drawn, axes, "of each map's range")


def _label(target: Target, cam: Cam, method: str) -> str:
    text = '' if method in WITHOUT_TARGET else target.text
    where = f'{cam.layer}, {cam.size[0]} × {cam.size[1]}' if cam.layer else ''
    flat = 'the same everywhere' if cam.is_flat else ''
    return '\n'.join(filter(None, (text, where, flat)))


def _caption(subjects: Sequence[LoadedModel], method: str, masks: int) -> str:
    if method in WITHOUT_TARGET:
        of = 'the first principal component of the map, which knows of no class'
    else:
        of = f'the map is of {EXPLAINED[subjects[0].library]}'
    how = f', {masks} masks' if method == 'drise' else ''
    weights = ', '.join(f'{subject.name} {subject.weights}' for subject in subjects)
    return (
        f'{METHODS[method]}{how}: {of}. Colours go from the smallest to the largest value of each map: they '
        f'compare places of one map, not maps. Weights: {weights}.'
    )
