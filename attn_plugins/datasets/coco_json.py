"""Finds what mmdet's data sets drop from a COCO JSON in silence: categories, images, and impossible boxes."""

import json
import mmap
from pathlib import Path

# COCO's own files have a handful of boxes without area among a million: so few are mentioned, more are a fault.
FEW = 1e-3


def category_names(path: str | Path) -> dict[int, str]:
    """Returns the names of a file's categories by their ids, in the file's order.

    Only that list is parsed, which takes milliseconds; the whole of COCO takes ten seconds.

    Raises:
        ValueError: The file has no such list.
    """
    with open(path, 'rb') as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        at = data.rfind(b'"categories"')
        start = data.find(b'[', at)
        for size in (1 << 16, 1 << 20, len(data)) if at >= 0 and start >= 0 else ():
            try:
                items = json.JSONDecoder().raw_decode(data[start : start + size].decode(errors='ignore'))[0]
                return {item['id']: item['name'] for item in items}
            except (ValueError, KeyError, TypeError):
                continue
    raise ValueError(f'{path} has no list of categories')


def image_ids(path: str | Path) -> set:
    """Returns the ids of a file's images."""
    return {image['id'] for image in json.loads(Path(path).read_bytes())['images']}


def read_coco(path: str | Path) -> tuple[list[str], list[str]]:
    """Reads a COCO JSON whole.

    Args:
        path (str or Path): The file.

    Returns:
        tuple[list[str], list[str]]: A sentence for every fault, and for everything that is odd but may be meant.
    """
    try:
        coco = json.loads(Path(path).read_bytes())
        images, categories = ({item['id']: item for item in coco[key]} for key in ('images', 'categories'))
        annotations = [
            (item['id'], item['image_id'], item['category_id'], item) for item in coco['annotations']
        ]
    except (ValueError, KeyError, TypeError) as error:
        return [f'{path} cannot be read as COCO JSON ({type(error).__name__}: {error})'], []
    faults = []
    ids = [annotation[0] for annotation in annotations]
    for what, given, distinct in (
        ('images', len(coco['images']), len(images)),
        ('categories', len(coco['categories']), len(categories)),
        ('annotations', len(ids), len(set(ids))),
    ):
        if given != distinct:
            faults.append(f'{path} gives an id to several {what}: {given} have {distinct} ids')
    for key, image, category, _ in annotations:
        if image not in images:
            faults.append(f'{path}: annotation {key} is of image {image}, which is not listed')
        if category not in categories:
            faults.append(f'{path}: annotation {key} is of category {category}, which is not listed')
    boxes, odd = _boxes(path, images, annotations)
    return faults + boxes, odd


def _boxes(path: str | Path, images: dict, annotations: list[tuple]) -> tuple[list[str], list[str]]:
    """Checks the boxes (x, y, width, height) of annotations, in pixels; returns faults and oddities."""
    wrong, given = [], []
    for key, image, _, item in annotations:
        size = images.get(image, {})
        if 'bbox' not in item or not {'width', 'height'} <= size.keys():
            continue
        box, kind = item['bbox'], None
        if len(box) != 4:
            wrong.append((key, f'has {len(box)} numbers for a box, not x, y, width, height'))
            continue
        x, y, w, h = box
        given.append((box, size))
        if w <= 0 or h <= 0:
            kind = 'has a box without area'
        elif x >= size['width'] or y >= size['height'] or x + w <= 0 or y + h <= 0:
            kind = f'has a box outside its image of {size["width"]} x {size["height"]} pixels'
        elif x < -1 or y < -1 or x + w > size['width'] + 1 or y + h > size['height'] + 1:
            kind = f'has a box that leaves its image of {size["width"]} x {size["height"]} pixels'
        if kind:
            wrong.append((key, f'{kind} ({", ".join(f"{value:g}" for value in box)})'))
    said = [f'{path}: annotation {key} {what}' for key, what in wrong]
    corners = all(x < w <= size['width'] + 1 and y < h <= size['height'] + 1 for (x, y, w, h), size in given)
    if wrong and corners and len(wrong) * 10 > len(given):
        first = ', '.join(f'{value:g}' for value in given[0][0])
        said.insert(
            0,
            f'{path}: its boxes look like corners (x1, y1, x2, y2), as the first, ({first}): COCO has x, y, '
            'width, height',
        )
    few = len(wrong) <= FEW * len(annotations)
    return ([], said) if few else (said, [])
