"""Chooses what a map explains: a class of a classifier or segmentor, or one box of a detector."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from attn_plugins.errors import UserError
from attn_plugins.visualization.network import Network
from attn_plugins.visualization.picture import Picture

BACKGROUND = 'background'
# Detections of two models are of the same object from this overlap on, which is COCO's lowest threshold.
SAME_OBJECT = 0.5


@dataclass(frozen=True)
class Target:
    """One number of a network's output for one image.

    Attributes:
        text: In words, with its score.
        value: Outputs of one image (without the batch) -> the number.
        label: The class.
        box: x1, y1, x2, y2 in the image's pixels, for a detector's target.
        index: The box's number among the model's detections.
    """

    text: str
    value: Callable[[Tensor], Tensor]
    label: int
    box: Tensor | None = None
    index: int | None = None


@torch.no_grad()
def choose_target(
    network: Network, picture: Picture, word: str | None = None, box: int = 0, threshold: float = 0.3
) -> Target:
    """Returns the target that a user names.

    Args:
        network: The model.
        picture: The image.
        word: A class by name or number. By default a classifier's prediction; for a segmentor the largest predicted
            class that is not called 'background'; for a detector any class.
        box: Number of the detection, the best first, among those of the class if one is named.
        threshold: The lowest score of a detection.

    Raises:
        UserError: There is no such class or box, or no detection reaches the threshold.
    """
    subject = network.subject
    outputs = network(picture.inputs)[0]
    label = None if word is None else subject.class_index(word)
    if subject.library == 'mmdet':
        return _box(network, picture, label, box, threshold)
    if subject.library == 'mmseg':
        return class_target(network, outputs, _largest(subject, outputs) if label is None else label)
    return class_target(network, outputs, int(outputs.argmax()) if label is None else label)


@torch.no_grad()
def same_target(network: Network, picture: Picture, first: Target) -> Target | None:
    """Finds another model's target for the same class; for a detector the detection of the same object.

    That is the one with the highest score of those that overlap the box, of the same class if there are any; None if
    there is none.
    """
    outputs = network(picture.inputs)[0]
    if first.box is None:
        return class_target(network, outputs, first.label)
    found = network.detections[0]
    overlaps = overlap(first.box, found.bboxes)
    if not len(overlaps) or overlaps.max() < SAME_OBJECT:
        return None
    alike = overlaps >= SAME_OBJECT
    right = alike & (found.labels == first.label)
    scores = torch.where(right if right.any() else alike, found.scores, -1)
    return _box_target(network, int(scores.argmax()))


@torch.no_grad()
def true_target(network: Network, picture: Picture, label: int, box: Tensor | None) -> Target | None:
    """Finds a model's target for what is true: its best detection of the object, or the places of the class.

    Args:
        network: A detector or segmentor.
        picture: The image.
        label: The true class.
        box: The true object's, for a detector, which has to call it by its class.

    Returns:
        Target | None: None if the model misses it.
    """
    outputs = network(picture.inputs)[0]
    if box is None:
        return class_target(network, outputs, label) if (outputs.argmax(0) == label).any() else None
    found = network.detections[0]
    right = (overlap(box.to(found.bboxes), found.bboxes) >= SAME_OBJECT) & (found.labels == label)
    return _box_target(network, int(right.nonzero()[0])) if right.any() else None


def class_target(network: Network, outputs: Tensor, label: int) -> Target:
    """Returns the logit of a class, (K,), or its mean over the places that are predicted as it, (K, H, W)."""
    subject, name = network.subject, network.subject.class_name(label)
    if label >= len(outputs):
        raise UserError(
            f'{subject.name} has {len(outputs)} classes, counted from 0: there is none of number {label}'
        )
    if outputs.dim() == 1:
        # Softmax for all: a classifier's head does not always turn its logits into probabilities.
        return Target(f'{name} ({float(outputs.softmax(0)[label]):.2f})', lambda out: out[label], label)
    mask = (outputs.argmax(0) == label).to(outputs.dtype)
    share = float(mask.mean())
    if not share:
        return Target(f'{name} (nowhere predicted)', lambda out: out[label].mean(), label)
    return Target(
        f'{name} ({share:.1%} of the image)', lambda out: (out[label] * mask).sum() / mask.sum(), label
    )


def overlap(box: Tensor, boxes: Tensor) -> Tensor:
    """Computes the intersection over union of a box (4,) with boxes (D, 4): (D,)."""
    low, high = torch.maximum(box[:2], boxes[:, :2]), torch.minimum(box[2:], boxes[:, 2:])
    shared = (high - low).clamp(min=0).prod(1)
    return shared / ((box[2:] - box[:2]).prod() + (boxes[:, 2:] - boxes[:, :2]).prod(1) - shared)


def _box(network: Network, picture: Picture, label: int | None, box: int, threshold: float) -> Target:
    found, subject = network.detections[0], network.subject
    right = torch.ones_like(found.scores, dtype=torch.bool) if label is None else found.labels == label
    of = '' if label is None else f' of class {subject.class_name(label)}'
    good = (right & (found.scores >= threshold)).nonzero()[:, 0].tolist()
    if not good:
        best = (
            f'the best has {float(found.scores[right].max()):.3f}' if right.any() else 'there are none at all'
        )
        raise UserError(
            f'{subject.name} finds nothing{of} in {picture.name} with a score of at least {threshold:g}, {best}: lower '
            '--score-threshold, or choose another image'
        )
    if not 0 <= box < len(good):
        raise UserError(
            f'there is no box {box}: {subject.name} finds {len(good)}{of} in {picture.name} with a score of at least '
            f'{threshold:g}, counted from 0'
        )
    return _box_target(network, good[box])


def _box_target(network: Network, index: int) -> Target:
    found = network.detections[0]
    label, score = int(found.labels[index]), float(found.scores[index])
    text = f'{network.subject.class_name(label)} ({score:.2f})'
    return Target(text, lambda scores: scores[index], label, found.bboxes[index].clone(), index)


def _largest(subject, outputs: Tensor) -> int:
    areas = outputs.argmax(0).flatten().bincount(minlength=len(outputs))
    for i, name in enumerate(subject.classes):
        if name == BACKGROUND and areas.count_nonzero() > 1:
            areas[i] = 0
    return int(areas.argmax())
