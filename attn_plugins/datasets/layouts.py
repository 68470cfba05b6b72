"""The files that a dataset's config names, against those that are there; folders are read once, not file by file."""

import json
import mmap
import os
import re
from collections import Counter
from functools import partial
from pathlib import Path

from attn_plugins.datasets.byte_files import FOLDERS, MNIST_FILES, byte_folder, mnist_images
from attn_plugins.datasets.class_folders import class_folders
from attn_plugins.datasets.found import Found, Sample
from attn_plugins.datasets.sources import digit_scenes_home, type_name


def find_files(dataset: dict) -> Found:
    """Looks for the files of one dataset's config."""
    kind = type_name(dataset)
    if kind == 'ForeignImages':
        return Found(f'images of {dataset.get("kind")}, made while training')
    if kind == 'ImageNet' and dataset.get('split'):
        dataset = _of_split(dataset)
    root = dataset.get('data_root') or ''
    if '://' in root:
        return Found(f'{root}, which is not on this machine')
    if kind in FOLDERS:
        return _byte_files(dataset)
    prefix = dataset.get('data_prefix') or {}
    if isinstance(prefix, str):
        prefix = dict(img_path=prefix)
    folders = {key: Path(root, folder) for key, folder in prefix.items() if isinstance(folder, str)}
    ann_file = Path(root, dataset['ann_file']) if dataset.get('ann_file') else None
    places = {'annotation file': [ann_file] if ann_file else [], 'folder': list(folders.values())}
    for what, paths in places.items():
        for path in paths:
            if not (path.is_dir() if what == 'folder' else path.exists()):
                absent = f'{what} {path}' if not root or Path(root).is_dir() else f'folder {root.rstrip("/")}'
                return Found(faults=[f'the {absent} is missing'], missing=path)
    if root and not Path(root).is_dir():
        return Found(faults=[f'the folder {root.rstrip("/")} is missing'], missing=Path(root))
    images = folders.get('img') or folders.get('img_path') or Path(root)
    if ann_file is not None and ann_file.suffix == '.json':
        return _coco(ann_file, images)
    if 'sub_data_root' in folders and ann_file is not None:
        return _voc_boxes(ann_file, folders['sub_data_root'], dataset)
    if 'seg_map_path' in folders:
        return _masks(ann_file, images, folders['seg_map_path'], dataset)
    if ann_file is not None and ann_file.is_file():
        return _listed([Sample(images / line.split()[0]) for line in _lines(ann_file)], str(ann_file))
    if home := digit_scenes_home(dataset):
        scenes = home / 'coco' / 'annotations' / f'instances_{images.name}.json'
        if scenes.is_file():
            return _digit_crops(scenes, images)
    return class_folders(images, kind, dataset)


def _of_split(dataset: dict) -> dict:
    """What `split` of mmpretrain's ImageNet stands for: a folder, a list if it is there, and no labels for the test."""
    split = dataset['split']
    listing = Path('meta', f'{split}.txt')
    given = dict(data_prefix=split, with_label=split != 'test')
    if Path(dataset.get('data_root') or '', listing).is_file():
        given['ann_file'] = str(listing)
    return given | {key: value for key, value in dataset.items() if value != ''}


def _listed(samples: list[Sample], listing: str) -> Found:
    """Samples that something lists, against the files that are there."""
    files = [file for sample in samples for file in (sample.image, sample.mask, sample.boxes) if file]
    found = _against_folders(files, listing)
    found.samples = lambda: iter(samples)
    return found


def _against_folders(files: list[Path], listing: str) -> Found:
    if not files:
        return Found(faults=[f'{listing} lists nothing'])
    there = {
        folder: set(os.listdir(folder)) if folder.is_dir() else set()
        for folder in {file.parent for file in files}
    }
    absent = [file for file in files if file.name not in there[file.parent]]
    content = f'{len(files)} files of {listing}'
    if not absent:
        return Found(content)
    fault = f'{len(absent)} of the {len(files)} files of {listing} are missing (first: {absent[0]})'
    return Found(content, [fault], missing=absent[0])


def _byte_files(dataset: dict) -> Found:
    """CIFAR and MNIST: a few files that hold all images. mmpretrain unpacks MNIST's itself, if `download` lets it."""
    folder = byte_folder(dataset)
    names = FOLDERS[type_name(dataset)][1]
    files = [folder / name for name in names]
    root = Path(dataset.get('data_root') or '.')
    if not root.is_dir():
        return Found(faults=[f'the folder {root} is missing'], missing=files[0])
    packed = [file.with_name(f'{file.name}.gz') for file in files]
    if names == MNIST_FILES and not all(file.is_file() for file in files):
        if dataset.get('download', True) and any(file.is_file() for file in packed):
            return _against_folders(packed, str(folder))
        if all(file.is_file() for file in packed):
            found = _against_folders(files, str(folder))
            found.advice = f'run `gunzip --keep {folder}/*.gz`'
            return found
    found = _against_folders(files, str(folder))
    if names == MNIST_FILES and not found.faults:
        found.images = partial(mnist_images, dataset)
    return found


def _coco(ann_file: Path, folder: Path) -> Found:
    """Every image of a COCO JSON; its file names are searched for as bytes, which takes a second where parsing takes ten."""
    if ann_file.stat().st_size == 0:
        return Found(faults=[f'the annotation file {ann_file} is empty'])
    with open(ann_file, 'rb') as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if not data[-100:].rstrip().endswith(b'}'):
            return Found(faults=[f'the annotation file {ann_file} is cut short'])
        names = [
            json.loads(match[1]) for match in re.finditer(rb'"file_name"\s*:\s*("(?:[^"\\]|\\.)*")', data)
        ]
    return _listed([Sample(folder / name) for name in dict.fromkeys(names)], str(ann_file))


def _voc_boxes(ann_file: Path, folder: Path, dataset: dict) -> Found:
    """An image and an XML file for every name of VOC's list."""
    images = folder / dataset.get('img_subdir', 'JPEGImages')
    boxes = folder / dataset.get('ann_subdir', 'Annotations')
    names = [line.split()[0] for line in _lines(ann_file)]
    samples = [Sample(images / f'{name}.jpg', boxes=boxes / f'{name}.xml') for name in names]
    return _listed(samples, str(ann_file))


def _masks(ann_file: Path | None, images: Path, masks: Path, dataset: dict) -> Found:
    """An image and a mask for every name of the list, or a mask for every image of the folder if there is no list."""
    cityscapes = 'Cityscapes' in str(dataset['type'])
    suffix = dataset.get('img_suffix') or ('_leftImg8bit.png' if cityscapes else '.jpg')
    mask_suffix = dataset.get('seg_map_suffix') or ('_gtFine_labelTrainIds.png' if cityscapes else '.png')
    listed = ann_file is not None and ann_file.is_file()
    names = (
        _lines(ann_file)
        if listed
        else [str(file.relative_to(images))[: -len(suffix)] for file in sorted(images.rglob(f'*{suffix}'))]
    )
    if not names and not listed:
        first = images / f'*{suffix}'
        return Found(faults=[f'the folder {images} holds no image *{suffix}'], missing=first)
    samples = [Sample(images / (name + suffix), mask=masks / (name + mask_suffix)) for name in names]
    if listed:
        return _listed(samples, str(ann_file))
    found = _against_folders([sample.mask for sample in samples], f'the masks of {images}')
    found.samples = lambda: iter(samples)
    found.content = f'{len(names)} images with masks in {images}'
    for source, words in (('_polygons.json', 'polygons'), ('_labelIds.png', '*_labelIds.png')):
        if found.faults and cityscapes and any(masks.rglob(f'*{source}')):
            found.faults = [f'{found.faults[0]}, though the {words} they are converted from are there']
            found.advice = (
                f'run `python tools/dataset_converters/cityscapes.py {Path(dataset.get("data_root") or ".")}`'
            )
            break
    return found


def _digit_crops(scenes: Path, folder: Path) -> Found:
    """A crop for every digit in the scenes of a DigitScenes; of few scenes, some digits have none."""
    try:
        coco = json.loads(scenes.read_text())
    except ValueError:
        return Found(faults=[f'the annotation file {scenes} is cut short'])
    names = {image['id']: Path(image['file_name']).stem for image in coco['images']}
    seen = Counter()
    samples = []
    for digit in coco['annotations']:
        scene = digit['image_id']
        name = f'{names[scene]}_{seen[scene]}.png'
        samples.append(Sample(folder / str(digit['category_id'] - 1) / name))
        seen[scene] += 1
    return _listed(samples, f'the digits of {scenes}')


def _lines(file: Path) -> list[str]:
    """The lines of a list that are not empty."""
    return [line.strip() for line in file.read_text().splitlines() if line.strip()]
