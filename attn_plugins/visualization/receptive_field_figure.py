"""Draws effective receptive fields: a column per model; a row before and one after a layer if one is chosen."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.colors import PowerNorm
from torch import Tensor

from attn_plugins.visualization.figure import colour_bar, grid, plain, row_label
from attn_plugins.visualization.loaded_model import LoadedModel
from attn_plugins.visualization.receptive_field import effective_size


def draw_fields(
    subjects: Sequence[LoadedModel], rows: dict[str, Sequence[Tensor]], layer: str, inputs: str, path: Path
) -> None:
    """Draws the fields and saves them as a picture.

    Args:
        subjects: The models.
        rows: The row's label -> a field per model.
        layer: The layer of whose map the fields are.
        inputs: The inputs that the mean was taken over, in words.
        path: The file.
    """
    weights = ', '.join(f'{subject.name} {subject.weights}' for subject in subjects)
    caption = (
        f'Effective receptive field of the centre of {layer}: the mean |gradient| of its sum over the channels '
        f'for each pixel of the input, over {inputs}, each field as a share of its largest value. The size is '
        f'the root of the number of pixels above 4.55 % of that. Weights: {weights}.'
    )
    with grid(len(rows), len(subjects), path, caption) as (figure, axes):
        for line, (name, fields) in zip(axes, rows.items(), strict=True):
            row_label(line[0], name)
            for cell, field in zip(line, fields, strict=True):
                largest = float(field.max())
                share = (field / largest if largest else field).numpy()
                drawn = cell.imshow(share, cmap='magma', norm=PowerNorm(0.5, 0, 1))
                plain(cell)
                height, width = field.shape
                size = f'size {effective_size(field):.1f}' if largest else 'no gradient'
                cell.set_xlabel(f'{size} of {height} × {width} px')
        for cell, subject in zip(axes[0], subjects, strict=True):
            cell.set_title(subject.name, fontweight='bold')
        colour_bar(figure, drawn, axes, 'share of the largest')
