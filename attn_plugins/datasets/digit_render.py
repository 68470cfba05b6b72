"""Draws DigitScenes: real 8x8 handwritten digits (scikit-learn's) on generated, cluttered backgrounds."""

from dataclasses import dataclass

import cv2
import numpy as np

# Ranges of the colours: digits are light on dark, clutter may have any colour.
GROUND, INK = (0, 100), (140, 255)


@dataclass(frozen=True)
class Digit:
    """One of scikit-learn's 1797 digits: its ``index`` there, its ``label`` 0..9, its ``ink`` (8, 8) in [0, 1]."""

    index: int
    label: int
    ink: np.ndarray


@dataclass(frozen=True)
class PlacedDigit:
    """A digit in a scene: ``mask`` (size, size) bool, ``box`` (x1, y1, x2, y2) in pixels, x2 and y2 exclusive."""

    digit: Digit
    mask: np.ndarray
    box: tuple[int, int, int, int]


@dataclass(frozen=True)
class Scene:
    """``image`` (size, size, 3) uint8 in BGR, and the digits in it, whose boxes do not overlap."""

    image: np.ndarray
    objects: list[PlacedDigit]


def draw_scene(rng: np.random.Generator, digits: list[Digit], size: int) -> Scene:
    """Draws one scene of ``size`` x ``size`` pixels with two to five of ``digits``.

    The same ``rng`` state gives the same scene.
    """
    image = _background(rng, size)
    taken: list[tuple[int, int, int, int]] = []
    for _ in range(
        rng.integers(0, 3)
    ):  # distractors first, so that a digit may never hide one of its own parts
        scrambled = _scramble(rng, digits[rng.integers(len(digits))].ink)
        _place(rng, image, scrambled, taken)
    objects = []
    for _ in range(rng.integers(2, 6)):
        digit = digits[rng.integers(len(digits))]
        placed = _place(rng, image, digit.ink, taken)
        if placed is not None:
            objects.append(PlacedDigit(digit, *placed))
    if not objects:  # a distractor may fill the scene: draw another scene, with the generator's next numbers
        return draw_scene(rng, digits, size)
    _strokes(rng, image, count=rng.integers(0, 2), thickest=1)
    image += rng.normal(0, rng.uniform(2, 14), image.shape)
    return Scene(np.clip(image, 0, 255).astype(np.uint8), objects)


def _background(rng: np.random.Generator, size: int) -> np.ndarray:
    """Draws a colour with slow changes over it and strokes across it, (size, size, 3) float32 in 0..255."""
    patches = rng.uniform(*GROUND, 3) + rng.normal(0, 15, (4, 4, 3))
    image = cv2.resize(patches.astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
    _strokes(rng, image, count=rng.integers(2, 6), thickest=3)
    return image


def _strokes(rng: np.random.Generator, image: np.ndarray, count: int, thickest: int) -> None:
    """Draws ``count`` arcs and lines of random colours into ``image``."""
    size = image.shape[0]
    for _ in range(count):
        colour = tuple(rng.uniform(0, 255, 3))
        thickness = int(rng.integers(1, thickest + 1))
        start, end = (tuple(int(v) for v in rng.integers(0, size, 2)) for _ in range(2))
        if rng.random() < 0.5:
            cv2.line(image, start, end, colour, thickness, cv2.LINE_AA)
        else:
            axes = tuple(int(v) for v in rng.integers(size // 16, size // 4, 2))
            turn, sweep = rng.uniform(0, 360), rng.uniform(60, 300)
            cv2.ellipse(image, start, axes, turn, 0, sweep, colour, thickness, cv2.LINE_AA)


def _scramble(rng: np.random.Generator, ink: np.ndarray) -> np.ndarray:
    """Shuffles a digit's four quarters: strokes like a digit's, without being one."""
    quarters = [ink[:4, :4], ink[:4, 4:], ink[4:, :4], ink[4:, 4:]]
    a, b, c, d = (
        np.rot90(quarters[i], rng.integers(1, 4)) for i in np.roll(np.arange(4), rng.integers(1, 4))
    )
    return np.block([[a, b], [c, d]])


def _place(rng: np.random.Generator, image: np.ndarray, ink: np.ndarray, taken: list):
    """Paints ``ink`` into ``image`` where no box of ``taken`` is; returns None if ten tries found no room.

    Returns:
        The mask (size, size) bool and the box (x1, y1, x2, y2) of what was painted; the box is added to ``taken``.
    """
    size = image.shape[0]
    for _ in range(10):
        alpha = _warp(rng, ink, size)
        mask = _hull(alpha > 0.35)
        x1, y1, width, height = cv2.boundingRect(mask.astype(np.uint8))
        box = (x1, y1, x1 + width, y1 + height)
        inside = x1 > 0 and y1 > 0 and box[2] < size and box[3] < size
        if not mask.any() or not inside or any(_touch(box, other) for other in taken):
            continue
        image += alpha[..., None] * (rng.uniform(*INK, 3).astype(np.float32) - image)
        taken.append(box)
        return mask, box
    return None


def _hull(ink: np.ndarray) -> np.ndarray:
    """Computes the convex hull of a (size, size) bool mask.

    The hull is the digit's mask: its strokes, a few pixels wide, are finer than a segmentor of stride 16 can draw.
    """
    hull = np.zeros(ink.shape, np.uint8)
    points = cv2.findNonZero(ink.astype(np.uint8))
    if points is not None:
        cv2.fillConvexPoly(hull, cv2.convexHull(points), 1)
    return hull.astype(bool)


def _warp(rng: np.random.Generator, ink: np.ndarray, size: int) -> np.ndarray:
    """Scales, stretches, turns and moves the 8x8 ``ink`` onto a (size, size) canvas; values in [0, 1]."""
    side = size * np.exp(rng.uniform(np.log(0.24), np.log(0.52)))
    stretch, angle = np.exp(rng.uniform(-0.15, 0.15)), np.deg2rad(rng.uniform(-12, 12))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = turn @ np.diag([side / 8 * stretch, side / 8 / stretch])
    centre = rng.uniform(side / 2.2, size - side / 2.2, 2)
    matrix = np.column_stack([linear, centre - linear @ np.array([3.5, 3.5])])
    alpha = cv2.warpAffine(ink.astype(np.float32), matrix, (size, size), flags=cv2.INTER_CUBIC)
    return np.clip(alpha * 1.2, 0, 1)


def _touch(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> bool:
    return a[0] <= b[2] and b[0] <= a[2] and a[1] <= b[3] and b[1] <= a[3]
