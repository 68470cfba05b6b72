"""Small data sets in the layout of the real ones: folders, lists and names are real, the images are DigitScenes.

Digit d stands for class d of the real data set, wherever it has boxes or masks. `data` of a folder that a test runs in
is one of these trees, so configs and tools find it as they are. mmpretrain compares CIFAR's files with the MD5 sums
of the real ones: a test that has it read these says so by the fixture `any_md5`."""

import gzip
import json
import pickle
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from mmdet.datasets import CocoDataset, VOCDataset
from mmseg.datasets import CityscapesDataset

from attn_plugins.datasets.digit_render import Scene, draw_scene
from attn_plugins.datasets.digit_scenes import split_digits, write_digit_scenes

IMAGENET_CLASSES = 1000
MNIST_FILES = (
    'train-images-idx3-ubyte',
    'train-labels-idx1-ubyte',
    't10k-images-idx3-ubyte',
    't10k-labels-idx1-ubyte',
)
# Class of mmpretrain -> the folder below data_root, the files in it.
BYTE_FILES = {
    'CIFAR10': (
        'cifar-10-batches-py',
        (*(f'data_batch_{i}' for i in range(1, 6)), 'test_batch', 'batches.meta'),
    ),
    'CIFAR100': ('cifar-100-python', ('train', 'test', 'meta')),
    'MNIST': ('', MNIST_FILES),
    'FashionMNIST': ('', MNIST_FILES),
}
HEIGHT, WIDTH = 96, 128
OBJECT = """<object><name>{name}</name><difficult>0</difficult><bndbox><xmin>{box[0]}</xmin><ymin>{box[1]}</ymin>
<xmax>{box[2]}</xmax><ymax>{box[3]}</ymax></bndbox></object>"""
ANNOTATION = """<annotation><size><width>{width}</width><height>{height}</height><depth>3</depth></size>
{objects}</annotation>"""


@cache
def scene(seed: int) -> Scene:
    """One of DigitScenes' scenes, of WIDTH x WIDTH pixels, whose upper HEIGHT rows are the image."""
    digits = _digits()
    rng = np.random.default_rng(seed)
    while True:
        drawn = draw_scene(rng, digits, WIDTH)
        if boxes(drawn):
            return drawn


@cache
def _digits():
    return split_digits()['train']


def boxes(drawn: Scene) -> list[tuple[int, tuple[int, int, int, int]]]:
    """The digit and the box (x1, y1, x2, y2) of every object that is wholly in the image."""
    return [(item.digit.label, item.box) for item in drawn.objects if item.box[3] <= HEIGHT]


def write_image(path: Path, seed: int) -> None:
    """A scene's image (96, 128, 3)."""
    _write(path, scene(seed).image[:HEIGHT])


def write_mask(path: Path, background: int, seed: int) -> None:
    """A scene's mask (96, 128): digit d is class d, or d + 1 where the background is class 0."""
    _write(path, mask_of(background, seed))


def mask_of(background: int, seed: int) -> np.ndarray:
    """A scene's classes (96, 128)."""
    mask = np.full((WIDTH, WIDTH), background, np.uint8)
    for item in scene(seed).objects:
        mask[item.mask] = item.digit.label + (background == 0)
    return mask[:HEIGHT]


def _write(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image)


def write_coco(root: Path) -> None:
    """COCO 2017: four images to train on, two to validate; the categories' numbers have gaps, as the real ones."""
    names = CocoDataset.METAINFO['classes']
    categories = [dict(id=i + 1 + i // 8, name=name) for i, name in enumerate(names)]
    for split, ids in (('train2017', range(1, 5)), ('val2017', range(11, 13))):
        images = [dict(id=i, file_name=f'{i:012}.jpg', height=HEIGHT, width=WIDTH) for i in ids]
        annotations = []
        for i in ids:
            for label, (x1, y1, x2, y2) in boxes(scene(i)):
                box = [float(x1), float(y1), float(x2 - x1), float(y2 - y1)]
                annotations.append(
                    dict(
                        id=len(annotations) + 1,
                        image_id=i,
                        category_id=categories[label]['id'],
                        bbox=box,
                        segmentation=[[float(value) for value in (x1, y1, x2, y1, x2, y2, x1, y2)]],
                        area=box[2] * box[3],
                        iscrowd=0,
                    )
                )
        for image in images:
            write_image(root / split / image['file_name'], image['id'])
        path = root / 'annotations' / f'instances_{split}.json'
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(dict(images=images, annotations=annotations, categories=categories)))


def write_cityscapes(root: Path) -> None:
    """Cityscapes with converted masks: four images to train on, two to validate."""
    for split, town, count in (('train', 'ulm', 4), ('val', 'munster', 2)):
        for i in range(count):
            name = f'{town}/{town}_{i:06}_000019'
            write_image(root / f'leftImg8bit/{split}/{name}_leftImg8bit.png', i)
            write_mask(root / f'gtFine/{split}/{name}_gtFine_labelTrainIds.png', 255, i)


def write_cityscapes_polygons(root: Path) -> None:
    """The same images before the conversion: a polygon around every digit, on a road below a sky."""
    for split, town, count in (('train', 'ulm', 4), ('val', 'munster', 2)):
        for i in range(count):
            name = f'{town}/{town}_{i:06}_000019'
            write_image(root / f'leftImg8bit/{split}/{name}_leftImg8bit.png', i)
            objects = [
                dict(label='sky', polygon=_corners(0, 0, WIDTH, 40)),
                dict(label='road', polygon=_corners(0, 40, WIDTH, HEIGHT)),
            ]
            objects += [
                dict(label=CityscapesDataset.METAINFO['classes'][label], polygon=_corners(*box))
                for label, box in boxes(scene(i))
            ]
            path = root / f'gtFine/{split}/{name}_gtFine_polygons.json'
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(dict(imgHeight=HEIGHT, imgWidth=WIDTH, objects=objects)))


def _corners(x1: int, y1: int, x2: int, y2: int) -> list[list[int]]:
    return [[x1, y1], [x2 - 1, y1], [x2 - 1, y2 - 1], [x1, y2 - 1]]


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
                _write_boxes(root / year / 'Annotations' / f'{name}.xml', i)
    voc2012 = root / 'VOC2012'
    for split, folder in (('train', ''), ('val', ''), ('aug', 'Aug')):
        names = [f'2012_{split}_{i:06}' for i in range(2)]
        _write_list(voc2012 / 'ImageSets/Segmentation' / f'{split}.txt', names)
        for i, name in enumerate(names):
            write_image(voc2012 / 'JPEGImages' / f'{name}.jpg', i)
            write_mask(voc2012 / f'SegmentationClass{folder}' / f'{name}.png', 0, i)


def _write_boxes(path: Path, seed: int) -> None:
    names = VOCDataset.METAINFO['classes']
    objects = [
        OBJECT.format(name=names[label], box=(x1 + 1, y1 + 1, x2, y2))
        for label, (x1, y1, x2, y2) in boxes(scene(seed))
    ]
    path.parent.mkdir(exist_ok=True)
    path.write_text(ANNOTATION.format(width=WIDTH, height=HEIGHT, objects='\n'.join(objects)))


def small_images(count: int, side: int) -> tuple[np.ndarray, list[int]]:
    """Scenes scaled to (count, side, side, 3), BGR, and the label of the first digit of each."""
    images = [cv2.resize(scene(i).image, (side, side), interpolation=cv2.INTER_AREA) for i in range(count)]
    return np.stack(images), [boxes(scene(i))[0][0] for i in range(count)]


def write_cifar(root: Path, kind: str, count: int = 4) -> None:
    """CIFAR10 or CIFAR100 with `count` images in each file: rows of 3072 bytes, a colour after the other, RGB."""
    folder, names = BYTE_FILES[kind]
    images, labels = small_images(count, 32)
    rows = images[..., ::-1].transpose(0, 3, 1, 2).reshape(count, 3072)
    classes = dict(CIFAR10=[f'class {i}' for i in range(10)], CIFAR100=[f'class {i}' for i in range(100)])[
        kind
    ]
    for name in names:
        content = dict(data=rows, filenames=[f'{i}.png' for i in range(count)], batch_label=name)
        if kind == 'CIFAR10':
            content |= dict(labels=labels)
        else:
            content |= dict(fine_labels=labels, coarse_labels=[label // 5 for label in labels])
        if 'meta' in name:
            content = {'label_names' if kind == 'CIFAR10' else 'fine_label_names': classes}
        path = root / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pickle.dumps(content, protocol=2))


def write_mnist(root: Path, packed: bool, count: int = 4) -> None:
    """MNIST's or FashionMNIST's files of `count` images: a head of the type and the lengths, then a byte per pixel or
    label.
    """
    root.mkdir(parents=True)
    images, labels = small_images(count, 28)
    for name in MNIST_FILES:
        values = images[..., 0] if 'idx3' in name else np.array(labels, np.uint8)
        head = bytes([0, 0, 8, values.ndim]) + b''.join(length.to_bytes(4, 'big') for length in values.shape)
        data = head + values.tobytes()
        (root / (f'{name}.gz' if packed else name)).write_bytes(gzip.compress(data) if packed else data)


def _write_list(path: Path, names: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(''.join(f'{name}\n' for name in names))


def write_trees(data: Path) -> None:
    """All that configs read, under the names that they give them in `data/`."""
    write_coco(data / 'coco')
    write_cityscapes(data / 'cityscapes')
    write_imagenet(data / 'imagenet')
    write_voc(data / 'VOCdevkit')
    for kind in ('CIFAR10', 'CIFAR100'):
        write_cifar(data / kind.lower(), kind)
    for name in ('mnist', 'fashion_mnist'):
        write_mnist(data / name, packed=False)
    write_digit_scenes(data / 'digit_scenes', train=4, val=2, progress=False)
    write_digit_scenes(
        data / 'digit_scenes_900_160_64px', train=4, val=2, size=64, progress=False
    )  # the demo's
