"""Draws boxes with their names so that they can still be read where a picture is shown small."""

from collections.abc import Sequence
from colorsys import hsv_to_rgb

import numpy as np
from mmengine.structures import InstanceData
from mmengine.visualization import Visualizer
from torch import Tensor

# Of a picture's width: the height of letters, and the widths of a line and of the dark one below it.
LETTERS, LINE, EDGE = 0.075, 0.008, 0.014
# Neighbouring classes are this far apart on the circle of hues: the golden section, which never comes round.
HUES = 0.618034
SATURATION = 0.45
BLACK = (0, 0, 0)


def draw_boxes(image: np.ndarray, found: InstanceData, names: Sequence[str]) -> np.ndarray:
    """Draws boxes, and masks if there are any, in a light colour for each class.

    Args:
        image: The picture, (h, w, 3), RGB.
        found: `bboxes` in the picture's pixels, `labels`, and perhaps `masks`. Boxes without an area, as of models that
            give masks alone, are left out.
        names: What stands at each box.
    """
    visualizer = Visualizer()
    visualizer.set_image(image)
    colours = [light_colour(int(label)) for label in found.labels]
    if colours and 'masks' in found:
        visualizer.draw_binary_masks(found.masks.bool(), colors=colours, alphas=0.5)
    boxes = [
        each for each in zip(found.bboxes, names, colours, strict=True) if (each[0][2:] > each[0][:2]).all()
    ]
    points = image.shape[1] * 72 / visualizer.dpi
    for box, _, colour in boxes:
        visualizer.draw_bboxes(box, edge_colors=BLACK, line_widths=EDGE * points, alpha=1)
        visualizer.draw_bboxes(box, edge_colors=colour, line_widths=LINE * points, alpha=1)
    for box, name, colour in boxes:  # after all lines, which would cross the names
        _write(visualizer, box, name, colour, LETTERS * points)
    return visualizer.get_image()


def light_colour(label: int) -> tuple[int, int, int]:
    """Returns a class's colour, (r, g, b): light, so that it shows on a dark picture, and unlike its neighbours'."""
    red, green, blue = hsv_to_rgb(label * HUES % 1, SATURATION, 1)
    return round(255 * red), round(255 * green), round(255 * blue)


def _write(visualizer: Visualizer, box: Tensor, name: str, colour: tuple, points: float) -> None:
    """Writes a name above its box, or inside where there is no room, towards the picture's middle."""
    x1, y1, x2, _ = box
    is_left = x1 + x2 < visualizer.width
    is_above = y1 > 2 * LETTERS * visualizer.width
    visualizer.draw_texts(
        name,
        np.array([float(x1 if is_left else x2), float(y1)]),
        font_sizes=points,
        colors=BLACK,
        horizontal_alignments='left' if is_left else 'right',
        vertical_alignments='bottom' if is_above else 'top',
        bboxes=dict(facecolor=np.divide(colour, 255), edgecolor='none', pad=1),
    )
