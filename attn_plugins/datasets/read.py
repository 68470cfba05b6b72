"""Reads every file of a dataset, which shows what a look at names cannot: cut images, foreign masks, wrong boxes."""

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
from mmengine.registry import DATASETS
from PIL import Image
from rich.console import Console
from rich.progress import track

from attn_plugins.datasets.byte_files import FOLDERS, byte_readers
from attn_plugins.datasets.found import Found, Sample
from attn_plugins.datasets.sources import type_name

IGNORED = 255  # the value of pixels without a class
BATCH = 64  # of files that every thread reads before the next ones are handed out


def read_dataset(dataset: dict, found: Found, scope: str | None) -> tuple[int, list[str]]:
    """Reads every file of a dataset, with a progress bar on stderr.

    Decoding leaves Python's lock alone, so threads read as fast as processes would.

    Args:
        dataset (dict): The dataset's config.
        found (Found): Which files it has; one that is missing is passed over.
        scope (str, optional): The library whose classes the dataset's type names.

    Returns:
        tuple[int, list[str]]: How many samples were read, and a sentence for every fault.
    """
    dataset_class = _class_of(dataset, scope)
    names = _class_names(dataset, dataset_class)
    sizes, faults = _stated_sizes(dataset, names)
    samples = found.samples or (lambda: iter(()))
    if type_name(dataset) in FOLDERS:
        readers = byte_readers(dataset, dataset_class)
    else:
        zero_is_ignored = bool(dataset.get('reduce_zero_label'))
        readers = (
            partial(read_sample, sample, names, sizes.get(sample.image), zero_is_ignored)
            for sample in samples()
        )
    total = sum(1 for _ in samples()) or None
    threads = min(os.cpu_count() or 1, 16)
    read = 0
    with ThreadPoolExecutor(threads) as pool:
        results = _in_batches(pool, readers, BATCH * threads)
        name = f'reading {type_name(dataset)}'
        for said in track(results, name, total=total, console=Console(stderr=True), transient=True):
            if said is not None:
                read += 1
                faults += said
    return read, faults


def _in_batches(pool: ThreadPoolExecutor, readers: Iterator, size: int) -> Iterator[list[str] | None]:
    """Results in order; a batch at a time, because the pool would hold a million tasks at once."""
    while batch := list(islice(readers, size)):
        yield from pool.map(lambda reader: reader(), batch)


def _stated_sizes(
    dataset: dict, names: tuple[str, ...] | None
) -> tuple[dict[Path, tuple[int, int]], list[str]]:
    """The (width, height) that a COCO JSON states of every image, and a sentence for every fault of it."""
    root = Path(dataset.get('data_root') or '')
    ann_file = root / (dataset.get('ann_file') or '')
    if ann_file.suffix != '.json' or not ann_file.is_file():
        return {}, []
    sizes, faults = read_coco(ann_file, names)
    folder = root / (dataset.get('data_prefix') or {}).get('img', '')
    return {folder / name: size for name, size in sizes.items()}, faults


def _class_of(dataset: dict, scope: str | None) -> type | None:
    """The class that reads the dataset, None if it is unknown here."""
    kind = dataset['type']
    if isinstance(kind, type):
        return kind
    if kind in FOLDERS:
        scope = 'mmpretrain'
    return DATASETS.get(kind if '.' in kind or scope is None else f'{scope}.{kind}')


def _class_names(dataset: dict, dataset_class: type | None) -> tuple[str, ...] | None:
    """The classes that the files know: the class's own, unless the config names others than those."""
    own = getattr(dataset_class, 'METAINFO', {}).get('classes')
    given = (dataset.get('metainfo') or {}).get('classes')
    if isinstance(given, str) or (own and set(given or ()) <= set(own)):
        given = None
    names = given or own
    return tuple(names) if names else None


def read_sample(
    sample: Sample,
    names: tuple[str, ...] | None,
    size: tuple[int, int] | None = None,
    zero_is_ignored: bool = False,
) -> list[str] | None:
    """Decodes an image, and reads its mask or boxes.

    Args:
        sample (Sample): Its files.
        names (tuple[str, ...], optional): The classes that masks and boxes may name; None if they are unknown.
        size (tuple[int, int], optional): Width and height in pixels as the annotations state them.
        zero_is_ignored (bool): Whether a mask's classes are counted from 1.

    Returns:
        list[str], optional: A sentence for every fault; None if there is no image.
    """
    if not sample.image.is_file():
        return None
    image, fault = _decode(sample.image)
    if fault:
        return [fault]
    faults = []
    if size is not None and image.size != size:
        faults.append(f'{sample.image} has {_text(image.size)} pixels, the annotations state {_text(size)}')
    if sample.mask is not None and sample.mask.is_file():
        faults += _read_mask(sample.mask, image.size, len(names) + zero_is_ignored if names else IGNORED)
    if sample.boxes is not None and sample.boxes.is_file():
        faults += _read_boxes(sample.boxes, image.size, names)
    return faults


def _decode(path: Path) -> tuple[Image.Image | None, str]:
    """The image with all its pixels, or a sentence. PIL refuses cut files, which OpenCV fills with grey."""
    try:
        with Image.open(path) as image:
            image.load()
            return image, ''
    except Exception as error:  # what a decoder raises on bytes that are not its own is not listed anywhere
        return None, f'{path} cannot be decoded ({error})'


def _read_mask(path: Path, size: tuple[int, int], classes: int) -> list[str]:
    mask, fault = _decode(path)
    if fault:
        return [fault]
    if len(mask.getbands()) > 1:
        return [f'{path} is no mask of class numbers: it has {len(mask.getbands())} channels']
    faults = []
    if mask.size != size:
        faults.append(f'{path} has {_text(mask.size)} pixels, its image {_text(size)}')
    values = np.flatnonzero(mask.histogram()) if mask.mode in ('L', 'P') else np.unique(np.asarray(mask))
    foreign = [int(value) for value in values if value >= classes and value != IGNORED]
    if foreign:
        listed = ', '.join(map(str, foreign[:5]))
        faults.append(f'{path} has the value {listed}, which is neither below {classes} nor {IGNORED}')
    return faults


def _read_boxes(path: Path, size: tuple[int, int], names: tuple[str, ...] | None) -> list[str]:
    """VOC's XML: pixels are counted from 1; some of its boxes start at 0."""
    try:
        objects = [
            (
                item.findtext('name'),
                [float(item.findtext(f'bndbox/{key}')) for key in ('xmin', 'ymin', 'xmax', 'ymax')],
            )
            for item in ET.parse(path).getroot().findall('object')
        ]
    except (ET.ParseError, TypeError, ValueError) as error:
        return [f'{path} cannot be read ({error})']
    faults = []
    for name, (left, top, right, bottom) in objects:
        if names is not None and name not in names:
            faults.append(f'{path} names the class {name!r}, which the data set does not have')
        if not (0 <= left < right <= size[0] and 0 <= top < bottom <= size[1]):
            box = ', '.join(f'{value:g}' for value in (left, top, right, bottom))
            faults.append(f'{path} has the box ({box}) outside its image of {_text(size)} pixels')
    return faults


def read_coco(path: Path, names: tuple[str, ...] | None) -> tuple[dict[str, tuple[int, int]], list[str]]:
    """Reads a COCO JSON: the (width, height) of every image by its file's name, and a sentence for every fault."""
    try:
        coco = json.loads(path.read_bytes())
        images, categories = ({item['id']: item for item in coco[key]} for key in ('images', 'categories'))
        annotations = [(item['id'], item['image_id'], item['category_id']) for item in coco['annotations']]
        sizes = {image['file_name']: (image['width'], image['height']) for image in images.values()}
    except (ValueError, KeyError, TypeError) as error:
        return {}, [f'{path} cannot be read as COCO JSON ({type(error).__name__}: {error})']
    faults = []
    ids = [annotation[0] for annotation in annotations]
    for what, given, distinct in (
        ('images', len(coco['images']), len(images)),
        ('categories', len(coco['categories']), len(categories)),
        ('annotations', len(ids), len(set(ids))),
    ):
        if given != distinct:
            faults.append(f'{path} gives an id to several {what}: {given} have {distinct} ids')
    for key, image, category in annotations:
        if image not in images:
            faults.append(f'{path}: annotation {key} is of image {image}, which is not listed')
        if category not in categories:
            faults.append(f'{path}: annotation {key} is of category {category}, which is not listed')
    absent = sorted(set(names or ()) - {category['name'] for category in categories.values()})
    if absent:
        faults.append(f'{path} has no category {", ".join(absent[:5])}, which the config names')
    return sizes, faults


def _text(size: tuple[int, int]) -> str:
    return f'{size[0]} x {size[1]}'
