"""Cityscapes' masks of the 19 evaluated classes, from the polygons (Cordts et al., CVPR 2016).

Labels, their numbers and the order of drawing are those of https://github.com/mcordts/cityscapesScripts,
helpers/labels.py (commit 4b83263) and preparation/json2labelImg.py (commit 324df1e).
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from attn_plugins.datasets.convert import convert_masks, write_list
from attn_plugins.errors import UserError

SPLITS = ('train', 'val', 'test')
IGNORED = 255
# In the order of their ids, 0 to 33; the number is the trainId.
LABELS = {
    'unlabeled': IGNORED,
    'ego vehicle': IGNORED,
    'rectification border': IGNORED,
    'out of roi': IGNORED,
    'static': IGNORED,
    'dynamic': IGNORED,
    'ground': IGNORED,
    'road': 0,
    'sidewalk': 1,
    'parking': IGNORED,
    'rail track': IGNORED,
    'building': 2,
    'wall': 3,
    'fence': 4,
    'guard rail': IGNORED,
    'bridge': IGNORED,
    'tunnel': IGNORED,
    'pole': 5,
    'polegroup': IGNORED,
    'traffic light': 6,
    'traffic sign': 7,
    'vegetation': 8,
    'terrain': 9,
    'sky': 10,
    'person': 11,
    'rider': 12,
    'car': 13,
    'truck': 14,
    'bus': 15,
    'caravan': IGNORED,
    'trailer': IGNORED,
    'train': 16,
    'motorcycle': 17,
    'bicycle': 18,
}
NOT_DRAWN = 'license plate'  # its id is -1: what is below stays, the car
POLYGONS, IDS, TRAIN_IDS = 'polygons.json', 'labelIds.png', 'labelTrainIds.png'


@dataclass(frozen=True)
class Converted:
    """How many masks there are, how many of them were written now, and the images of each split."""

    masks: int
    written: int
    splits: dict[str, int]


def convert_cityscapes(
    root: Path, gt_dir: str = 'gtFine', out: Path | None = None, processes: int = 1
) -> Converted:
    """Writes `*_labelTrainIds.png` beside every `*_polygons.json`, and a list of images for every split.

    Where an image has no polygons but `*_labelIds.png`, which are drawn from them, its numbers are replaced.

    Args:
        root (Path): Cityscapes, which holds gtFine.
        gt_dir (str): The folder of annotations in it.
        out (Path, optional): Where train.txt, val.txt and test.txt go; by default into `root`.
        processes (int): How many files are converted at once.

    Raises:
        UserError: The folder holds no annotations, or one cannot be read.
    """
    folder = root / gt_dir
    sources = {}
    for kind in (IDS, POLYGONS):
        for path in sorted(folder.rglob(f'*_{kind}')):
            sources[path.with_name(path.name.removesuffix(kind) + TRAIN_IDS)] = path
    if not sources:
        raise UserError(
            f'{folder} holds no *_{POLYGONS}: give the folder that gtFine_trainvaltest.zip was unpacked into, and --gt-dir '
            'if its annotations are not in gtFine'
        )
    pairs = [(source, target) for target, source in sorted(sources.items())]
    written = convert_masks(draw_mask, pairs, processes, f'masks of {folder}')
    splits = {}
    for split in SPLITS:
        end = f'_{gt_dir}_{TRAIN_IDS}'
        names = [
            target.relative_to(folder / split).as_posix().removesuffix(end)
            for _, target in pairs
            if (folder / split) in target.parents
        ]
        if names:
            write_list((out or root) / f'{split}.txt', names)
            splits[split] = len(names)
    return Converted(len(pairs), written, splits)


def draw_mask(path: Path) -> Image.Image:
    """The trainIds (H, W) of an image's polygons, drawn in the file's order, or of its mask of ids."""
    if path.name.endswith(IDS):
        table = np.full(256, IGNORED, np.uint8)
        table[: len(LABELS)] = list(LABELS.values())
        return Image.fromarray(table[np.asarray(Image.open(path))])
    annotation = json.loads(path.read_text())
    mask = Image.new('L', (annotation['imgWidth'], annotation['imgHeight']), LABELS['unlabeled'])
    drawer = ImageDraw.Draw(mask)
    for item in annotation['objects']:
        label = item['label']
        if item.get('deleted') or label == NOT_DRAWN:
            continue
        name = label if label in LABELS else label.removesuffix('group')
        if name not in LABELS:
            raise UserError(f'{path} has the label {label!r}, which Cityscapes does not: get the file again')
        drawer.polygon([tuple(point) for point in item['polygon']], fill=LABELS[name])
    return mask
