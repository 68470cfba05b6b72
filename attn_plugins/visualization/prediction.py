"""Draws what a model predicts for an image, and what is true, by the visualizers of OpenMMLab's libraries."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from mmengine.structures import BaseDataElement, InstanceData, PixelData
from mmengine.visualization import Visualizer

from attn_plugins.visualization.loaded_model import LoadedModel
from attn_plugins.visualization.picture import Picture

# Pixels of a drawn picture's longer side; a small image is enlarged by a whole number.
SIDE = 320
# The least score of a box that is drawn.
THRESHOLD = 0.3
# Boxes or classes that are named; the others are counted.
MOST = 4


@dataclass(frozen=True)
class Answer:
    """What a model says of an image, or what is true of it.

    Attributes:
        sample: The library's data sample, on the CPU, in the image's own pixels.
        words: The classes in words, with their scores: '7 (0.98), 3 (0.71)'.
        is_drawn: Whether there is more to draw than the image: boxes, or a mask.
    """

    sample: BaseDataElement
    words: str
    is_drawn: bool


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
        return Answer(SegDataSample(pred_sem_seg=found), _areas(subject, found.data[0].numpy()), True)
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
        return Answer(sample, _areas(subject, mask), True)
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
        palette: A colour, (r, g, b), for each class; by default the library's own.
    """
    image = resized(pixels)
    if not answer.is_drawn:
        return image
    sample = _resized_sample(answer.sample, pixels.shape[:2], image.shape[:2])
    visualizer = _visualizer(subject, palette)
    is_true = 'gt_instances' in sample or 'gt_sem_seg' in sample
    options = dict(pred_score_thr=THRESHOLD) if subject.library == 'mmdet' else dict(with_labels=False)
    visualizer.add_datasample('', image, sample, draw_gt=is_true, draw_pred=not is_true, **options)
    return visualizer.get_image()


def resized(pixels: np.ndarray) -> np.ndarray:
    """Enlarges a small image so that every pixel stays a square, or shrinks a large one."""
    height, width = pixels.shape[:2]
    factor = SIDE / max(height, width)
    if factor < 1:
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return pixels.repeat(int(factor), 0).repeat(int(factor), 1)


def _visualizer(subject: LoadedModel, palette: Sequence | None) -> Visualizer:
    if subject.library == 'mmdet':
        from mmdet.visualization import DetLocalVisualizer

        visualizer = DetLocalVisualizer(line_width=2, text_color=(255, 255, 255))
    else:
        from mmseg.visualization import SegLocalVisualizer

        visualizer = SegLocalVisualizer(alpha=0.6)
        palette = palette or np.random.RandomState(0).randint(0, 255, (len(subject.classes), 3)).tolist()
    visualizer.dataset_meta = dict(classes=subject.classes, palette=palette)
    return visualizer


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
    words = [
        f'{subject.class_name(int(label))} ({float(score):.2f})'
        for label, score in zip(found.labels, found.scores, strict=True)
    ]
    good = words[: int((found.scores > THRESHOLD).sum())]
    if good or not words:
        return _list(good)
    return f'no box of at least {THRESHOLD:g}; the best: {words[0]}'


def _areas(subject: LoadedModel, mask: np.ndarray) -> str:
    """Names the classes of a mask, the largest first; values that are no class are left out."""
    labels, counts = np.unique(mask, return_counts=True)
    named = [
        (count, subject.class_name(int(label)))
        for label, count in zip(labels, counts, strict=True)
        if label < len(subject.classes)
    ]
    return _list([f'{name} ({count / mask.size:.0%})' for count, name in sorted(named, reverse=True)])


def _list(words: Sequence[str]) -> str:
    more = f' and {len(words) - MOST} more' if len(words) > MOST else ''
    return ', '.join(words[:MOST]) + more or 'nothing'
