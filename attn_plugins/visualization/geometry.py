"""Finds the part of an image that a network's input shows, by grey ramps in the pipeline, and maps it back."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from torch import Tensor

from attn_plugins.errors import UserError

# The white end of the ramps.
WHITE = 255
# The fraction whose multiples are spread most evenly.
GOLDEN = 0.618


@dataclass(frozen=True)
class Region:
    """Where the pixels of an input lie in its image: image x = `x[0]` * column + `x[1]`, and the same for rows.

    Attributes:
        x, y: Slope in pixels of the image per pixel of the input, and the position of the input's first pixel.
        shown: Rows and columns of the input that show the image; the others are padding.
    """

    x: tuple[float, float]
    y: tuple[float, float]
    shown: tuple[slice, slice]

    def spread(self, map_: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        """Puts a map of the input's size, (h, w), back on its image, (H, W); NaN where the network sees nothing.

        It interpolates bilinearly between the input's pixels, as far as their outer edges.
        """
        matrix = np.array(
            [[1 / self.x[0], 0, -self.x[1] / self.x[0]], [0, 1 / self.y[0], -self.y[1] / self.y[0]]]
        )
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        cut = np.float32(map_)[self.shown]
        # The matrix counts from the input's first pixel, the crop begins at the first pixel that shows the image.
        matrix[:, 2] -= (self.shown[1].start, self.shown[0].start)
        spread = cv2.warpAffine(cut, matrix, shape[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)
        columns = matrix[0, 0] * np.arange(shape[1]) + matrix[0, 2]
        rows = matrix[1, 1] * np.arange(shape[0]) + matrix[1, 2]
        unseen_rows = np.abs(rows - (cut.shape[0] - 1) / 2) > cut.shape[0] / 2
        unseen_columns = np.abs(columns - (cut.shape[1] - 1) / 2) > cut.shape[1] / 2
        spread[unseen_rows] = np.nan
        spread[:, unseen_columns] = np.nan
        return spread


def find_region(run: Callable[[Callable[[dict], dict]], Tensor]) -> Region:
    """Finds the region for any pipeline of resizing, cropping, flipping and padding.

    Args:
        run: Runs the pipeline with a function that changes the loader's result, and returns its inputs, (C, h, w).

    Raises:
        UserError: The inputs do not follow the ramps: the pipeline turns or colours the image.
    """
    sizes = {}
    run(lambda loaded: sizes.update(shape=loaded['img'].shape[:2]) or loaded)
    across, back, down = (
        run(lambda loaded, axis=axis, back=back: _ramp(loaded, axis, back))[0].numpy().astype(float)
        for axis, back in ((1, False), (1, True), (0, False))
    )
    # A ramp and its mirror image add up to white where they show the image; padding does not.
    seen = np.abs(across + back - WHITE) <= 2
    if not seen.any():
        raise UserError(
            'the test pipeline does more to an image than resize, crop and pad, so maps cannot be put back on '
            'it: leave such transforms out of test_dataloader.dataset.pipeline'
        )
    rows, columns = np.nonzero(seen)
    height, width = sizes['shape']
    x = np.polyfit(columns, across[seen] * (width - 1) / WHITE, 1)
    y = np.polyfit(rows, down[seen] * (height - 1) / WHITE, 1)
    shown = tuple(slice(int(axis.min()), int(axis.max()) + 1) for axis in (rows, columns))
    return Region(tuple(map(float, x)), tuple(map(float, y)), shown)


def _ramp(loaded: dict, axis: int, back: bool) -> dict:
    """Replaces the loaded image by a ramp from black to white along an axis, or by the ramp's mirror image."""
    image = loaded['img']
    length, others = image.shape[axis], image.shape[1 - axis]
    # Rounded up in some of the lines and down in others, so that integer greys have the ramp's slope on average.
    offsets = np.arange(others) * GOLDEN % 1
    ramp = np.minimum(np.floor(np.linspace(0, WHITE, length)[:, None] + offsets), WHITE)
    ramp = WHITE - ramp if back else ramp
    ramp = (ramp if axis == 0 else ramp.T).reshape(image.shape[:2] + (1,) * (image.ndim - 2))
    loaded['img'] = np.broadcast_to(ramp, image.shape).astype(image.dtype)
    return loaded
