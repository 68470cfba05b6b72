"""Draws what a model predicts for an image, and what is true, by the visualizers of OpenMMLab's libraries."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from math import ceil

import cv2
import numpy as np
import torch
from mmengine.structures import BaseDataElement, InstanceData, PixelData
from torch import Tensor

from attn_plugins.visualization.boxes import draw_boxes
from attn_plugins.visualization.loaded_model import LoadedModel
from attn_plugins.visualization.picture import Picture
from attn_plugins.visualization.target import BACKGROUND

# Pixels of a large image's longer side as it is drawn.
SIDE = 320
# A small image is enlarged by a whole number until its shorter side has these pixels, its longer one at most these.
SHORTER, LONGER = 256, 640
# The least score of a box that is drawn.
THRESHOLD = 0.3
# The least share of an image from which on a class of its mask is named.
LEAST_SHARE = 0.01
# Boxes or classes that are named; the others are counted.
MOST = 4


@dataclass(frozen=True)
class Answer:
    """What a model says of an image, or what is true of it.

    Attributes:
        sample: The library's data sample, on the CPU, in the image's own pixels.
        words: The classes in words, with their scores: '7 (0.98), 3 (0.71)'.
        is_drawn: Whether there is more to draw than the image: boxes, or a mask.
        areas: Of a mask: its classes besides background and their shares of the image, the largest first.
    """

    sample: BaseDataElement
    words: str
    is_drawn: bool
    areas: list[tuple[int, float]] = field(default_factory=list)

    @property
    def named_areas(self) -> list[tuple[int, float]]:
        """Those of the areas that are large enough to be seen."""
        return [(label, share) for label, share in self.areas if share >= LEAST_SHARE]

    @property
    def largest(self) -> tuple[int, Tensor | None] | None:
        """Of a truth: the class of the largest object and its box, or the largest class of a mask; None without any."""
        if self.areas:
            return self.areas[0][0], None
        if 'gt_instances' not in self.sample or not len(self.sample.gt_instances):
            return None
        boxes, labels = self.sample.gt_instances.bboxes, self.sample.gt_instances.labels
        index = int((boxes[:, 2:] - boxes[:, :2]).prod(1).argmax())
        return int(labels[index]), boxes[index]


@torch.no_grad()
def predicted(subject: LoadedModel, picture: Picture) -> Answer:
    """Returns a model's own prediction for an image, as its library's test has it."""
    [sample] = subject.model(picture.inputs, deepcopy(picture.samples), mode='predict')
    sample = sample.cpu()
    if subject.library == 'mmdet':
        from mmdet.structures import DetDataSample

        found = sample.pred_instances[sample.pred_instances.scores.argsort(descending=True)]
        # Without what a pipeline leaves of the truth, which is empty here.
        return Answer(DetDataSample(pred_instances=found), _boxes(subject, found), True)
    if subject.library == 'mmseg':
        from mmseg.structures import SegDataSample

        found = sample.pred_sem_seg
        return _of_mask(subject, SegDataSample(pred_sem_seg=found), found.data[0].numpy())
    named = [(int(label), float(sample.pred_score[label])) for label in sample.pred_label]
    return Answer(
        sample, _list([f'{subject.class_name(label)} ({score:.2f})' for label, score in named]), False
    )


def truth(subject: LoadedModel, info: Mapping) -> Answer | None:
    """Returns what a data set says of an image; None if it says nothing.

    Args:
        subject: A model of its library, with its classes.
        info: The image's entry in the data set, before any transform.
    """
    if subject.library == 'mmdet' and 'instances' in info:
        from mmdet.structures import DetDataSample

        objects = [each for each in info['instances'] if not each.get('ignore_flag')]
        labels = torch.tensor([each['bbox_label'] for each in objects], dtype=torch.long)
        boxes = torch.tensor([each['bbox'] for each in objects], dtype=torch.float).reshape(-1, 4)
        sample = DetDataSample(gt_instances=InstanceData(bboxes=boxes, labels=labels))
        return Answer(sample, _list([subject.class_name(int(label)) for label in labels]), True)
    if subject.library == 'mmseg' and info.get('seg_map_path'):
        from mmseg.datasets.transforms import LoadAnnotations
        from mmseg.structures import SegDataSample

        mask = LoadAnnotations()(deepcopy(dict(info, seg_fields=[])))['gt_seg_map']
        sample = SegDataSample(gt_sem_seg=PixelData(data=torch.from_numpy(mask)[None]))
        return _of_mask(subject, sample, mask)
    if subject.library == 'mmpretrain' and 'gt_label' in info:
        from mmpretrain.structures import DataSample

        sample = DataSample().set_gt_label(info['gt_label'])
        return Answer(sample, _list([subject.class_name(int(label)) for label in sample.gt_label]), False)
    return None


def draw(answer: Answer, subject: LoadedModel, pixels: np.ndarray, palette: Sequence | None) -> np.ndarray:
    """Draws an answer over its image, in the size of pictures, (h, w, 3).

    Args:
        answer: The answer.
        subject: A model of its library, with its classes.
        pixels: The image, (H, W, 3), RGB.
        palette: A colour, (r, g, b), for each class of a mask; by default made-up ones.
    """
    image = resized(pixels)
    if not answer.is_drawn:
        return image
    sample = _resized_sample(answer.sample, pixels.shape[:2], image.shape[:2])
    if subject.library == 'mmseg':
        return _draw_mask(image, sample, subject, palette)
    if 'gt_instances' in sample:
        found = sample.gt_instances
        names = [subject.class_name(int(label)) for label in found.labels]
    else:
        found = sample.pred_instances[sample.pred_instances.scores > THRESHOLD]
        names = _scored(subject, found, '{} {:.2f}')
    return draw_boxes(image, found, names)


def key(answer: Answer, subject: LoadedModel, palette: Sequence | None) -> list[dict]:
    """Lists what the colours of a drawn mask stand for: of each class its `name`, `share` of the image and `colour`."""
    colours = _mask_colours(subject, palette)
    return [
        dict(name=subject.class_name(label), share=share, colour=list(map(int, colours[label])))
        for label, share in answer.named_areas
    ]


def resized(pixels: np.ndarray) -> np.ndarray:
    """Enlarges a small image so that every pixel stays a square, or shrinks a large one."""
    height, width = pixels.shape[:2]
    if max(height, width) > SIDE:
        factor = SIDE / max(height, width)
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    factor = min(ceil(SHORTER / min(height, width)), LONGER // max(height, width))
    return pixels.repeat(factor, 0).repeat(factor, 1)


def _draw_mask(
    image: np.ndarray, sample: BaseDataElement, subject: LoadedModel, palette: Sequence | None
) -> np.ndarray:
    from mmseg.visualization import SegLocalVisualizer

    visualizer = SegLocalVisualizer(alpha=0.6)
    visualizer.dataset_meta = dict(classes=subject.classes, palette=_mask_colours(subject, palette))
    is_true = 'gt_sem_seg' in sample
    visualizer.add_datasample('', image, sample, draw_gt=is_true, draw_pred=not is_true, with_labels=False)
    return visualizer.get_image()


def _mask_colours(subject: LoadedModel, palette: Sequence | None) -> Sequence:
    return palette or np.random.RandomState(0).randint(0, 255, (len(subject.classes), 3)).tolist()


def _resized_sample(sample: BaseDataElement, old: tuple[int, int], new: tuple[int, int]) -> BaseDataElement:
    """Scales the boxes and masks of a sample from its image's size to that of the picture."""
    sample, (y, x) = deepcopy(sample), np.divide(new, old)
    for name in ('pred_instances', 'gt_instances'):
        if name in sample:
            instances = getattr(sample, name)
            instances.bboxes = instances.bboxes * torch.tensor([x, y, x, y], dtype=instances.bboxes.dtype)
            if 'masks' in instances:
                instances.masks = _nearest(instances.masks, new)
    for name in ('pred_sem_seg', 'gt_sem_seg'):
        if name in sample:
            setattr(sample, name, PixelData(data=_nearest(getattr(sample, name).data, new)))
    return sample


def _nearest(masks: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Scales masks (N, H, W) without mixing their values."""
    enlarged = torch.nn.functional.interpolate(masks[None].float(), size=size, mode='nearest-exact')[0]
    return enlarged.to(masks.dtype)


def _boxes(subject: LoadedModel, found: InstanceData) -> str:
    words = _scored(subject, found, '{} ({:.2f})')
    good = words[: int((found.scores > THRESHOLD).sum())]
    if good or not words:
        return _list(good)
    return f'no box of at least {THRESHOLD:g}; the best: {words[0]}'


def _scored(subject: LoadedModel, found: InstanceData, form: str) -> list[str]:
    """Writes the class and score of each box in a form such as '{} ({:.2f})'."""
    return [
        form.format(subject.class_name(int(label)), float(score))
        for label, score in zip(found.labels, found.scores, strict=True)
    ]


def _of_mask(subject: LoadedModel, sample: BaseDataElement, mask: np.ndarray) -> Answer:
    """Makes the answer of a mask; its values that are no class are left out, as is the background."""
    labels, counts = np.unique(mask, return_counts=True)
    areas = [
        (label, count / mask.size)
        for label, count in zip(labels.tolist(), counts.tolist(), strict=True)
        if label < len(subject.classes) and subject.classes[label] != BACKGROUND
    ]
    answer = Answer(sample, '', True, sorted(areas, key=lambda area: -area[1]))
    words = _list([f'{subject.class_name(label)} ({share:.0%})' for label, share in answer.named_areas])
    return replace(answer, words=words)


def _list(words: Sequence[str]) -> str:
    more = f' and {len(words) - MOST} more' if len(words) > MOST else ''
    return ', '.join(words[:MOST]) + more or 'nothing'
