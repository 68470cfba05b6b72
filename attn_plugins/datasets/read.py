"""Reads samples as training does, by a dataset's own loading transforms, and checks the resulting images and masks."""

import logging
import os
import traceback
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.dataset import BaseDataset
from mmengine.fileio import list_from_file
from PIL import Image
from rich.console import Console
from rich.progress import track
from torch.utils.data import Dataset

from attn_plugins.datasets.coco_json import read_coco
from attn_plugins.errors import UserError
from attn_plugins.explain import said_by
from attn_plugins.registry import listed

BATCH = 64  # samples that every thread reads before the next ones are handed out


def read_dataset(dataset: Dataset, ignored: frozenset[int]) -> tuple[int, list[str], list[str]]:
    """Reads every sample of a dataset, with a progress bar on stderr.

    Decoding releases Python's lock, so threads read as fast as processes would.

    Args:
        dataset (Dataset): The dataset, built.
        ignored (frozenset[int]): The values of pixels without a class.

    Returns:
        tuple[int, list[str], list[str]]: The number of samples read, a sentence for every fault, and for everything
            odd.
    """
    faults, odd = annotation_faults(dataset)
    classes = (getattr(dataset, 'metainfo', None) or {}).get('classes')
    pixels, read = Counter(), 0
    threads = min(os.cpu_count() or 1, 16)
    indices = iter(range(len(dataset) if isinstance(dataset, BaseDataset) else 0))

    def look(index: int) -> tuple[list[str], Counter]:
        seen = Counter()
        return faults_of_sample(dataset, index, ignored, seen, whole=True), seen

    with ThreadPoolExecutor(threads) as pool:
        results = _in_batches(pool, look, indices, BATCH * threads)
        name = f'reading {type(dataset).__name__}'
        for said, seen in track(results, name, len(dataset), console=Console(stderr=True), transient=True):
            read += 1
            faults += said
            pixels += seen
    if pixels and classes:
        absent = [str(classes[i]) for i in range(len(classes)) if not pixels[i]]
        if absent:
            text = f'no mask has one pixel of {listed(absent)}: its pixels are {_seen(pixels, classes)}'
            # Nothing can be learned from one class alone.
            (odd if len(classes) - len(absent) > 1 else faults).append(text)
    return read, faults, odd


def _seen(pixels: Counter, classes: tuple[str, ...]) -> str:
    """Lists the share of each value in the masks."""
    total = sum(pixels.values())
    names = {i: str(name) for i, name in enumerate(classes)}
    most = pixels.most_common(5)
    return ', '.join(f'{100 * n / total:.0f} % {names.get(value, f"ignored ({value})")}' for value, n in most)


def _in_batches(pool: ThreadPoolExecutor, look, indices: Iterator[int], size: int) -> Iterator:
    """Yields results in order; works in batches, because the pool would hold a million tasks at once."""
    while batch := list(islice(indices, size)):
        yield from pool.map(look, batch)


def try_sample(dataset: Dataset, index: int) -> str | None:
    """Draws a sample as a dataloader does; returns a sentence if that fails."""
    try:
        dataset[index]
    except Exception as error:
        return _cannot(dataset, index, error)
    return None


def faults_of_sample(
    dataset: Dataset, index: int, ignored: frozenset[int], pixels: Counter | None = None, whole: bool = False
) -> list[str]:
    """Loads a sample of a dataset and checks its image and mask.

    Args:
        dataset (Dataset): The dataset, built.
        index (int): The sample's number.
        ignored (frozenset[int]): The values of pixels without a class.
        pixels (Counter, optional): Counts the pixels of each value of the mask.
        whole (bool): Whether to check also that the files are complete; OpenCV fills the missing rest with grey.

    Returns:
        list[str]: A sentence for every fault.
    """
    if not isinstance(dataset, BaseDataset):
        return []
    try:
        sample = _loaded(dataset, index)
    except Exception as error:
        # Loading transforms may need those between them, as videos' do: a sample that can be drawn is right.
        return [_cannot(dataset, index, error)] if try_sample(dataset, index) else []
    faults = []
    image, path = sample.get('img'), sample.get('img_path')
    size = image.shape[1::-1] if isinstance(image, np.ndarray) and image.ndim in (2, 3) else None
    if whole:
        faults += [fault for name in ('img_path', 'seg_map_path') if (fault := _cut_short(sample.get(name)))]
    stated = (sample.get('width'), sample.get('height'))
    if size and isinstance(stated[0], int) and size != stated:
        faults.append(f'{path} has {_text(size)} pixels, the annotations state {_text(stated)}')
    mask = sample.get('gt_seg_map')
    # Only mmseg's masks: where there are boxes, masks have numbers of their own.
    if isinstance(mask, np.ndarray) and sample.get('seg_map_path') and 'instances' not in sample:
        names = (getattr(dataset, 'metainfo', None) or {}).get('classes')
        ignored = ignored | {getattr(dataset, 'ignore_index', 255)}
        faults += _faults_of_mask(mask, sample['seg_map_path'], size, names, ignored, pixels)
    return faults


def _loaded(dataset: Dataset, index: int) -> dict:
    """Loads a sample by the dataset's own loading transforms."""
    sample = dataset.get_data_info(index)
    for transform in getattr(dataset.pipeline, 'transforms', ()):
        if type(transform).__name__.startswith('Load'):
            sample = transform(sample)
            if sample is None:
                raise UserError('its loading transforms give nothing')
    return sample


def _cannot(dataset: Dataset, index: int, error: Exception) -> str:
    """Returns the sentence for a sample that cannot be loaded: its file, the transform, and its error."""
    frames = [frame.f_locals for frame, _ in traceback.walk_tb(error.__traceback__)][::-1]
    transform = next(
        (type(names['self']).__name__ for names in frames if isinstance(names.get('self'), BaseTransform)), ''
    )
    sample = next((names['results'] for names in frames if isinstance(names.get('results'), dict)), {})
    path = sample.get('seg_map_path' if 'Annotation' in transform else 'img_path') or sample.get('img_path')
    said = str(error) if isinstance(error, UserError) else said_by(error)
    by = f' by {transform}' if transform else ''
    return f'{path if isinstance(path, str) else f"sample {index}"} cannot be loaded{by} ({said})'


def _cut_short(path: str | None) -> str | None:
    """Returns a sentence for an image file that ends too early; the transforms check if it can be decoded at all."""
    if not isinstance(path, str) or not Path(path).is_file():
        return None
    logging.getLogger('PIL').setLevel(logging.WARNING)
    try:
        with Image.open(path) as image:
            image.load()
    except Exception as error:
        if 'truncated' in str(error) or 'broken' in str(error):
            return f'{path} is cut short ({error})'
    return None


def _faults_of_mask(
    mask: np.ndarray,
    path: str,
    size: tuple[int, int] | None,
    names: tuple[str, ...] | None,
    ignored: frozenset[int],
    pixels: Counter | None,
) -> list[str]:
    """Checks a mask (H, W) of class numbers."""
    if mask.ndim != 2:
        return [
            f'{path} is no mask of class numbers: it has {mask.shape[-1]} channels, where one is needed that '
            'holds the number '
            "of each pixel's class"
        ]
    faults = []
    if size and mask.shape[::-1] != size:
        faults.append(f'{path} has {_text(mask.shape[::-1])} pixels, its image {_text(size)}')
    values, counts = np.unique(mask, return_counts=True)
    if pixels is not None:
        pixels.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))
    most = max(len(names or ()), 2)  # a single class has a background, 0, in binary segmentation
    foreign = [value for value in values.tolist() if names and value >= most and value not in ignored]
    if foreign:
        known = ' nor '.join(map(str, sorted(ignored)))
        faults.append(
            f'{path} has the value {listed(foreign)}, which is neither below {most} nor {known}, the '
            'ignore_index of its dataset or head'
        )
    return faults


def _faults_of_xml(path: Path, names: tuple[str, ...] | None) -> list[str]:
    """Checks VOC's XML: pixels are counted from 1, but some of its boxes start at 0."""
    faults = []
    root = ET.parse(path).getroot()
    width, height = (float(root.findtext(f'size/{side}') or 'inf') for side in ('width', 'height'))
    for item in root.findall('object'):
        name = item.findtext('name')
        corners = [float(item.findtext(f'bndbox/{key}')) for key in ('xmin', 'ymin', 'xmax', 'ymax')]
        left, top, right, bottom = corners
        if names is not None and name not in names:
            faults.append(f'{path} names the class {name!r}, which the data set does not have')
        if not (0 <= left < right <= width and 0 <= top < bottom <= height):
            box = ', '.join(f'{value:g}' for value in corners)
            faults.append(f'{path} has the box ({box}) outside its image of {width:g} x {height:g} pixels')
    return faults


def _known_names(dataset: Dataset) -> tuple[str, ...] | None:
    """Returns the classes that files may name: the dataset class's own, unless the config names others than those."""
    own = getattr(type(dataset), 'METAINFO', {}).get('classes')
    given = (getattr(dataset, 'metainfo', None) or {}).get('classes')
    return own if own and set(given or ()) <= set(own) else given


def annotation_faults(dataset: Dataset) -> tuple[list[str], list[str]]:
    """Finds faults and oddities in the annotations of mmdet's COCO and VOC, also of images that mmdet drops."""
    ann_file = str(getattr(dataset, 'ann_file', None))
    if hasattr(dataset, 'cat_ids') and ann_file.endswith('.json') and Path(ann_file).is_file():
        return read_coco(ann_file)
    if hasattr(dataset, 'ann_subdir') and Path(ann_file).is_file():
        folder, names = Path(dataset.sub_data_root, dataset.ann_subdir), _known_names(dataset)
        files = [folder / f'{name}.xml' for name in list_from_file(ann_file)]
        return [fault for file in files for fault in _faults_of_xml(file, names)], []
    return [], []


def _text(size: tuple[int, int]) -> str:
    return f'{size[0]} x {size[1]}'
