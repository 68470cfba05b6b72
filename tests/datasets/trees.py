"""Small data sets in the layout of the real ones: the folders, lists and names are real, the images are noise.

`data` of a folder that a test runs in is one of these trees, so configs and tools find it as they are. CIFAR has none:
mmpretrain compares its files with the MD5 sums of the real ones.
"""

import json
from pathlib import Path

import cv2
import numpy as np
from mmdet.datasets import CocoDataset, VOCDataset

from attn_plugins.datasets.digit_scenes import write_digit_scenes

IMAGENET_CLASSES = 1000
CITYSCAPES_CLASSES = 19
VOC_CLASSES = 21  # of masks: the background and 20 more
HEIGHT, WIDTH = 96, 128
OBJECT = """<annotation><size><width>{width}</width><height>{height}</height><depth>3</depth></size><object>
<name>{name}</name><difficult>0</difficult><bndbox><xmin>20</xmin><ymin>10</ymin><xmax>90</xmax><ymax>70</ymax></bndbox>
</object></annotation>"""


def write_image(path: Path, seed: int) -> None:
    """Noise with three channels."""
    _write(path, np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8))


def write_mask(path: Path, classes: int, seed: int) -> None:
    """Patches of every class."""
    patches = np.random.default_rng(seed).integers(0, classes, (HEIGHT // 8, WIDTH // 8), dtype=np.uint8)
    _write(path, patches.repeat(8, axis=0).repeat(8, axis=1))


def _write(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image)


def write_coco(root: Path) -> None:
    """COCO 2017: four images to train on, two to validate; the categories' numbers have gaps, as the real ones."""
    names = CocoDataset.METAINFO['classes']
    categories = [dict(id=i + 1 + i // 8, name=name) for i, name in enumerate(names)]
    for split, ids in (('train2017', range(1, 5)), ('val2017', range(11, 13))):
        images = [dict(id=i, file_name=f'{i:012}.jpg', height=HEIGHT, width=WIDTH) for i in ids]
        boxes = [
            dict(
                id=i,
                image_id=i,
                category_id=categories[7 * i % 80]['id'],
                bbox=[20.0, 10.0, 70.0, 60.0],
                area=4200.0,
                iscrowd=0,
            )
            for i in ids
        ]
        for image in images:
            write_image(root / split / image['file_name'], image['id'])
        path = root / 'annotations' / f'instances_{split}.json'
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(dict(images=images, annotations=boxes, categories=categories)))


def write_cityscapes(root: Path) -> None:
    """Cityscapes with converted masks: four images to train on, two to validate."""
    for split, town, count in (('train', 'ulm', 4), ('val', 'munster', 2)):
        for i in range(count):
            name = f'{town}/{town}_{i:06}_000019'
            write_image(root / f'leftImg8bit/{split}/{name}_leftImg8bit.png', i)
            write_mask(root / f'gtFine/{split}/{name}_gtFine_labelTrainIds.png', CITYSCAPES_CLASSES, i)


def write_imagenet(root: Path) -> None:
    """ImageNet-1k in class folders without lists: one image in each, four different ones among them."""
    for split in ('train', 'val'):
        for i in range(IMAGENET_CLASSES):
            path = root / split / f'n{i:08}' / f'n{i:08}_1.JPEG'
            if i < 4:
                write_image(path, i)
                image = path.read_bytes()
            else:
                path.parent.mkdir()
                path.write_bytes(image)


def write_voc(root: Path) -> None:
    """VOCdevkit: boxes of 2007 and 2012, masks of 2012, and the masks that voc_aug.py adds to it."""
    for year, splits in (('VOC2007', ('trainval', 'test')), ('VOC2012', ('trainval',))):
        for split in splits:
            names = [f'{year[3:]}_{split}_{i:06}' for i in range(4)]
            _write_list(root / year / 'ImageSets/Main' / f'{split}.txt', names)
            for i, name in enumerate(names):
                write_image(root / year / 'JPEGImages' / f'{name}.jpg', i)
                boxes = root / year / 'Annotations' / f'{name}.xml'
                boxes.parent.mkdir(exist_ok=True)
                category = VOCDataset.METAINFO['classes'][i]
                boxes.write_text(OBJECT.format(name=category, width=WIDTH, height=HEIGHT))
    voc2012 = root / 'VOC2012'
    for split, folder in (('train', ''), ('val', ''), ('aug', 'Aug')):
        names = [f'2012_{split}_{i:06}' for i in range(2)]
        _write_list(voc2012 / 'ImageSets/Segmentation' / f'{split}.txt', names)
        for i, name in enumerate(names):
            write_image(voc2012 / 'JPEGImages' / f'{name}.jpg', i)
            write_mask(voc2012 / f'SegmentationClass{folder}' / f'{name}.png', VOC_CLASSES, i)


def _write_list(path: Path, names: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(''.join(f'{name}\n' for name in names))


def write_trees(data: Path) -> None:
    """All of them, under the names that configs give them in `data/`."""
    write_coco(data / 'coco')
    write_cityscapes(data / 'cityscapes')
    write_imagenet(data / 'imagenet')
    write_voc(data / 'VOCdevkit')
    write_digit_scenes(data / 'digit_scenes', train=4, val=2, progress=False)
