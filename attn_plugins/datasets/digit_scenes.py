"""DigitScenes: the embedded data set, written as COCO JSON, VOC, Cityscapes-style masks and class folders.

Scikit-learn's 1797 real handwritten digits stand in generated scenes (:mod:`.digit_render`). The same seed gives the
same bytes. The digits of the validation scenes never appear in a training scene. The classes are '0' to '9' in every
layout; in the masks 0 is the background and digit ``d`` is ``d + 1``.
"""

import glob
import hashlib
import json
import shutil
import tempfile
from pathlib import Path
from xml.etree import ElementTree as ET

import cv2
import numpy as np
from filelock import FileLock, Timeout
from PIL import Image
from pycocotools import mask as coco_mask
from rich.progress import track
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from attn_plugins.datasets.digit_render import Digit, Scene, draw_scene
from attn_plugins.errors import UserError

# Increased when the same settings give other bytes, so that data of an older version are rewritten.
FORMAT = 1
CLASSES = tuple('0123456789')
CONTEXT = 1.3  # a crop's side over the longer side of its digit's box
SPLITS = ('train', 'val')
LOCK = 'lock'  # of the folder in which a process is writing the data


def split_digits() -> dict[str, list[Digit]]:
    """Splits scikit-learn's digits: four fifths for 'train', one fifth for 'val', with equal shares of each class."""
    data = load_digits()
    digits = [
        Digit(i, int(label), ink / 16)
        for i, (label, ink) in enumerate(zip(data.target, data.images, strict=True))
    ]
    return dict(
        zip(
            SPLITS,
            train_test_split(digits, test_size=1 / 5, stratify=data.target, random_state=0),
            strict=True,
        )
    )


def write_digit_scenes(
    root='data/digit_scenes',
    seed: int = 0,
    train: int = 1500,
    val: int = 240,
    size: int = 128,
    progress: bool = True,
) -> bool:
    """Writes DigitScenes into the folder ``root``, unless it already holds exactly these scenes.

    The data are written beside ``root`` and renamed at the end, so a half-written set is never taken for a whole one.
    What a killed process left beside it is removed.

    Args:
        root: Folder of the data set; one that holds other DigitScenes is replaced.
        seed: Seed of the scenes. Which digits are for training and which for validation does not depend on it.
        train: Number of training scenes.
        val: Number of validation scenes.
        size: Height and width of a scene in pixels.
        progress: Whether to show a progress bar.

    Returns:
        True if the data were written, False if they were there.

    Raises:
        UserError: ``train`` or ``val`` below 1, ``seed`` negative, ``size`` below 64 (where digits can no longer be
            told apart), or ``root`` holds something else than DigitScenes.
    """
    if train < 1 or val < 1 or size < 64 or seed < 0:
        raise UserError(
            f'DigitScenes needs train >= 1, val >= 1, size >= 64 and seed >= 0: '
            f'change train={train}, val={val}, size={size}, seed={seed}'
        )
    root = Path(root)
    settings = dict(format=FORMAT, seed=seed, train=train, val=val, size=size)
    if is_complete(root, settings):
        return False
    if (
        root.exists()
        and not (root / 'settings.json').is_file()
        and (not root.is_dir() or any(root.iterdir()))
    ):
        raise UserError(f'{root} exists and is not DigitScenes: choose another folder, or move it away')
    root.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(root)
    # On the same file system as `root`, so that both renames are one step each.
    with (
        tempfile.TemporaryDirectory(prefix=f'.{root.name}-unfinished-', dir=root.parent) as folder,
        FileLock(Path(folder, LOCK)),
    ):
        written, replaced = Path(folder, 'written'), Path(folder, 'replaced')
        digits = split_digits()
        for split, count in dict(train=train, val=val).items():
            _write_split(written, split, digits[split], count, seed, size, progress)
        stored = dict(settings, sha256=content_hash(written))
        (written / 'settings.json').write_text(json.dumps(stored, indent=1))
        if is_complete(root, settings):  # another process was faster
            return False
        if root.exists():
            root.rename(replaced)
        written.rename(root)
    return True


def _remove_abandoned(root: Path) -> None:
    """Removes the folders in which killed processes were writing ``root``: nobody holds their locks."""
    for folder in root.parent.glob(f'.{glob.escape(root.name)}-unfinished-*'):
        try:
            with FileLock(folder / LOCK, timeout=0):
                shutil.rmtree(folder, ignore_errors=True)
        except Timeout:  # another process is writing there
            continue


def is_complete(root, settings: dict | None = None) -> bool:
    """Tells whether ``root`` holds DigitScenes with every file as written, and with these ``settings`` if given."""
    try:
        stored = json.loads((Path(root) / 'settings.json').read_text())
    except (OSError, ValueError):
        return False
    expected = stored.pop('sha256', None)
    return settings in (None, stored) and content_hash(Path(root)) == expected


def content_hash(root: Path) -> str:
    """Computes the SHA-256 over the name and size of every file of the data set, in sorted order.

    Sizes stand in for the bytes: they reveal a file that is missing, cut short or of another seed, in a fraction of the
    time that reading twenty thousand files takes.
    """
    names = sorted(
        (str(path.relative_to(root)), path.stat().st_size) for path in root.rglob('*') if path.is_file()
    )
    return hashlib.sha256(repr([n for n in names if n[0] != 'settings.json']).encode()).hexdigest()


def _write_split(
    root: Path, split: str, digits: list[Digit], count: int, seed: int, size: int, progress: bool
) -> None:
    rng_of = np.random.SeedSequence([seed, SPLITS.index(split)]).spawn(count)
    coco = dict(
        info=dict(description='DigitScenes'),
        images=[],
        annotations=[],
        categories=[dict(id=i + 1, name=name) for i, name in enumerate(CLASSES)],
    )
    folders = _make_folders(root, split)
    description = f'DigitScenes, {split}'
    for i in track(range(count), description, disable=not progress):
        name = f'{split}_{i:06d}'
        scene = draw_scene(np.random.default_rng(rng_of[i]), digits, size)
        labels = np.zeros((size, size), np.uint8)
        for placed in scene.objects:
            labels[placed.mask] = placed.digit.label + 1
        jpeg = _encode('.jpg', scene.image)
        (folders['coco'] / f'{name}.jpg').write_bytes(jpeg)
        _add_to_coco(coco, scene, i, name)
        _write_voc(folders, scene, name, jpeg, labels)
        (folders['left'] / f'{name}_leftImg8bit.png').write_bytes(_encode('.png', scene.image))
        (folders['gt'] / f'{name}_gtFine_labelTrainIds.png').write_bytes(_encode('.png', labels))
        for k, placed in enumerate(scene.objects):
            crop = _crop(scene.image, placed.box)
            (folders['classes'] / CLASSES[placed.digit.label] / f'{name}_{k}.png').write_bytes(
                _encode('.png', crop)
            )
    (root / f'coco/annotations/instances_{split}.json').write_text(json.dumps(coco))
    for task in ('Main', 'Segmentation'):
        lines = ''.join(f'{image["file_name"][:-4]}\n' for image in coco['images'])
        (root / f'VOCdevkit/VOC2007/ImageSets/{task}/{split}.txt').write_text(lines)


def _make_folders(root: Path, split: str) -> dict[str, Path]:
    voc = root / 'VOCdevkit/VOC2007'
    folders = dict(
        coco=root / 'coco' / split,
        left=root / f'cityscapes/leftImg8bit/{split}/scenes',
        gt=root / f'cityscapes/gtFine/{split}/scenes',
        classes=root / 'classes' / split,
        jpeg=voc / 'JPEGImages',
        xml=voc / 'Annotations',
        masks=voc / 'SegmentationClass',
    )
    others = [root / 'coco/annotations', voc / 'ImageSets/Main', voc / 'ImageSets/Segmentation']
    for folder in [*folders.values(), *others, *(folders['classes'] / name for name in CLASSES)]:
        folder.mkdir(parents=True, exist_ok=True)
    return folders


def _encode(suffix: str, image: np.ndarray) -> bytes:
    quality = [cv2.IMWRITE_JPEG_QUALITY, 95] if suffix == '.jpg' else []
    return cv2.imencode(suffix, image, quality)[1].tobytes()


def _add_to_coco(coco: dict, scene: Scene, image_id: int, name: str) -> None:
    height, width = scene.image.shape[:2]
    coco['images'].append(dict(id=image_id, file_name=f'{name}.jpg', height=height, width=width))
    for placed in scene.objects:
        x1, y1, x2, y2 = placed.box
        rle = coco_mask.encode(np.asfortranarray(placed.mask, np.uint8))
        coco['annotations'].append(
            dict(
                id=len(coco['annotations']) + 1,
                image_id=image_id,
                category_id=placed.digit.label + 1,
                iscrowd=0,
                bbox=[x1, y1, x2 - x1, y2 - y1],
                area=int(placed.mask.sum()),
                digit_index=placed.digit.index,
                segmentation=dict(size=rle['size'], counts=rle['counts'].decode()),
            )
        )


def _write_voc(folders: dict[str, Path], scene: Scene, name: str, jpeg: bytes, labels: np.ndarray) -> None:
    (folders['jpeg'] / f'{name}.jpg').write_bytes(jpeg)
    mask = Image.fromarray(labels).convert('P')
    mask.putpalette([0, 0, 0, *np.random.default_rng(0).integers(60, 256, 3 * len(CLASSES)).tolist()])
    mask.save(folders['masks'] / f'{name}.png')
    height, width = scene.image.shape[:2]
    root = ET.Element('annotation')
    _add(root, folder='VOC2007', filename=f'{name}.jpg', segmented=1)
    _add(ET.SubElement(root, 'size'), width=width, height=height, depth=3)
    for placed in scene.objects:
        element = ET.SubElement(root, 'object')
        _add(element, name=CLASSES[placed.digit.label], difficult=0, truncated=0)
        x1, y1, x2, y2 = placed.box  # VOC counts pixels from 1 and includes the last one
        _add(ET.SubElement(element, 'bndbox'), xmin=x1 + 1, ymin=y1 + 1, xmax=x2, ymax=y2)
    ET.indent(root)
    ET.ElementTree(root).write(folders['xml'] / f'{name}.xml')


def _add(parent: ET.Element, **children) -> None:
    for tag, value in children.items():
        ET.SubElement(parent, tag).text = str(value)


def _crop(image: np.ndarray, box) -> np.ndarray:
    """Cuts out the square around ``box`` with some context.

    It is shifted to lie within ``image``, and cropped if it must be.
    """
    x1, y1, x2, y2 = box
    side = min(round(CONTEXT * max(x2 - x1, y2 - y1)), image.shape[0])
    left, top = (
        int(np.clip((low + high - side) // 2, 0, image.shape[0] - side)) for low, high in ((x1, x2), (y1, y2))
    )
    return image[top : top + side, left : left + side]
