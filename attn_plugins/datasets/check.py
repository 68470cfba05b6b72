"""Whether a config's data are there: which files are missing, where they should be, and how to get them.

Nothing is built for it: folders and annotation files are read as the dataset classes of the three libraries read them.
"""

import json
import mmap
import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config

from attn_plugins.datasets.sources import digit_scenes_home, how_to_get, type_name
from attn_plugins.errors import UserError

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
IMAGES = ('.jpg', '.jpeg', '.png', '.ppm', '.bmp', '.pgm', '.tif')
CIFAR_FILES = {
    'CIFAR10': [
        f'cifar-10-batches-py/{name}'
        for name in (*(f'data_batch_{i}' for i in range(1, 6)), 'test_batch', 'batches.meta')
    ],
    'CIFAR100': [f'cifar-100-python/{name}' for name in ('train', 'test', 'meta')],
}
IMAGENET_CLASSES = 1000


@dataclass
class DatasetCheck:
    """What the check says of one dataset of a dataloader.

    Attributes:
        loader (str): 'train', 'val' or 'test'.
        content (str): What the dataset holds.
        faults (list[str]): What is missing; empty if it is complete.
        advice (str): How to get it.
    """

    loader: str
    content: str
    faults: list[str]
    advice: str

    @property
    def sentences(self) -> list[str]:
        """A sentence for every fault."""
        return [f'{fault}: {self.advice}' for fault in self.faults]


def check_data(cfg: Config, loaders: tuple[str, ...] = LOADERS) -> None:
    """Refuses a config whose data are not complete, before anything is trained in vain.

    Args:
        cfg (Config): A whole config.
        loaders (tuple[str, ...]): The dataloaders that will be used.

    Raises:
        UserError: Names what is missing first and how to get it, and the command that lists the rest.
    """
    checks = inspect_data(cfg, loaders)
    sentences = list(dict.fromkeys(sentence for check in checks for sentence in check.sentences))
    if not sentences:
        return
    more = ''
    if sentences[1:]:
        listing = f': see `python tools/check_data.py {cfg.filename}`' if cfg.filename else ''
        more = f' (and {len(sentences) - 1} more{listing})'
    raise UserError(sentences[0] + more)


def inspect_data(cfg: Config, loaders: tuple[str, ...] = LOADERS) -> list[DatasetCheck]:
    """Looks at every dataset of a config's dataloaders, those within RepeatDataset, ConcatDataset and others too."""
    return [
        DatasetCheck(loader.removesuffix('_dataloader'), *_inspect(dataset), how_to_get(dataset))
        for loader in loaders
        for dataset in innermost((cfg.get(loader) or {}).get('dataset'))
    ]


def innermost(dataset: dict | list | None) -> Iterator[dict]:
    """The datasets that read files, without what repeats, joins or mixes them."""
    if isinstance(dataset, (list, tuple)):
        for item in dataset:
            yield from innermost(item)
    elif dataset:
        inner = dataset.get('dataset') or dataset.get('datasets')
        if inner:
            yield from innermost(inner)
        else:
            yield dataset


def _inspect(dataset: dict) -> tuple[str, list[str]]:
    """What one dataset holds, and what it lacks."""
    kind = type_name(dataset)
    if kind == 'ImageNet' and dataset.get('split'):
        dataset = _of_split(dataset)
    root = dataset.get('data_root') or ''
    prefix = dataset.get('data_prefix') or {}
    if '://' in root:
        return f'{root}, which is not on this machine', []
    if root and not Path(root).is_dir():
        return '', [f'the folder {root.rstrip("/")} is missing']
    if kind in CIFAR_FILES:
        files = [Path(root, file) for file in CIFAR_FILES[kind]]
        return _listed(files, str(files[0].parent))
    ann_file = Path(root, dataset['ann_file']) if dataset.get('ann_file') else None
    if ann_file is not None and not ann_file.exists():
        return '', [f'the annotation file {ann_file} is missing']
    if isinstance(prefix, str):
        prefix = dict(img_path=prefix)
    folders = {key: Path(root, folder) for key, folder in prefix.items() if isinstance(folder, str)}
    for folder in folders.values():
        if not folder.is_dir():
            return '', [f'the folder {folder} is missing']
    images = folders.get('img') or folders.get('img_path') or Path(root)
    if ann_file is not None and ann_file.suffix == '.json':
        return _coco(ann_file, images)
    if 'sub_data_root' in folders and ann_file is not None:
        return _voc_boxes(ann_file, folders['sub_data_root'], dataset)
    if 'seg_map_path' in folders:
        return _masks(ann_file, images, folders['seg_map_path'], dataset)
    if ann_file is not None and ann_file.is_file():
        return _listed([images / line.split()[0] for line in _lines(ann_file)], str(ann_file))
    if home := digit_scenes_home(dataset):
        scenes = home / 'coco' / 'annotations' / f'instances_{images.name}.json'
        if scenes.is_file():
            return _digit_crops(scenes, images)
    return _class_folders(images, kind, dataset)


def _of_split(dataset: dict) -> dict:
    """What `split` of mmpretrain's ImageNet stands for: a folder, a list if it is there, and no labels for the test."""
    split = dataset['split']
    listing = Path('meta', f'{split}.txt')
    given = dict(data_prefix=split, with_label=split != 'test')
    if Path(dataset.get('data_root') or '', listing).is_file():
        given['ann_file'] = str(listing)
    return given | {key: value for key, value in dataset.items() if value != ''}


def _listed(files: list[Path], listing: str) -> tuple[str, list[str]]:
    """Files that something lists, against those that are there; folders are read once, not file by file."""
    if not files:
        return '', [f'{listing} lists nothing']
    there = {
        folder: set(os.listdir(folder)) if folder.is_dir() else set()
        for folder in {file.parent for file in files}
    }
    absent = [file for file in files if file.name not in there[file.parent]]
    faults = (
        [f'{len(absent)} of the {len(files)} files of {listing} are missing (first: {absent[0]})']
        if absent
        else []
    )
    return f'{len(files)} files of {listing}', faults


def _coco(ann_file: Path, folder: Path) -> tuple[str, list[str]]:
    """Every image of a COCO JSON; its file names are searched for as bytes, which takes a second where parsing takes ten."""
    if ann_file.stat().st_size == 0:
        return '', [f'the annotation file {ann_file} is empty']
    with open(ann_file, 'rb') as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if not data[-100:].rstrip().endswith(b'}'):
            return '', [f'the annotation file {ann_file} is cut short']
        names = [
            json.loads(match[1]) for match in re.finditer(rb'"file_name"\s*:\s*("(?:[^"\\]|\\.)*")', data)
        ]
    return _listed([folder / name for name in dict.fromkeys(names)], str(ann_file))


def _voc_boxes(ann_file: Path, folder: Path, dataset: dict) -> tuple[str, list[str]]:
    """An image and an XML file for every name of VOC's list."""
    names = [line.split()[0] for line in _lines(ann_file)]
    images = folder / dataset.get('img_subdir', 'JPEGImages')
    boxes = folder / dataset.get('ann_subdir', 'Annotations')
    return _listed(
        [file for name in names for file in (images / f'{name}.jpg', boxes / f'{name}.xml')], str(ann_file)
    )


def _masks(ann_file: Path | None, images: Path, masks: Path, dataset: dict) -> tuple[str, list[str]]:
    """An image and a mask for every name of the list, or a mask for every image of the folder if there is no list."""
    cityscapes = 'Cityscapes' in str(dataset['type'])
    suffix = dataset.get('img_suffix') or ('_leftImg8bit.png' if cityscapes else '.jpg')
    mask_suffix = dataset.get('seg_map_suffix') or ('_gtFine_labelTrainIds.png' if cityscapes else '.png')
    if ann_file is not None and ann_file.is_file():
        names = _lines(ann_file)
        files = [file for name in names for file in (images / (name + suffix), masks / (name + mask_suffix))]
        return _listed(files, str(ann_file))
    names = [str(file.relative_to(images))[: -len(suffix)] for file in sorted(images.rglob(f'*{suffix}'))]
    if not names:
        return '', [f'the folder {images} holds no image *{suffix}']
    content, faults = _listed([masks / (name + mask_suffix) for name in names], f'the masks of {images}')
    if faults and cityscapes and any(masks.rglob('*_polygons.json')):
        faults = [f'{faults[0]}, though the polygons they are converted from are there']
    return f'{len(names)} images with masks in {images}', faults


def _digit_crops(scenes: Path, folder: Path) -> tuple[str, list[str]]:
    """A crop for every digit in the scenes of a DigitScenes; of few scenes, some digits have none."""
    try:
        coco = json.loads(scenes.read_text())
    except ValueError:
        return '', [f'the annotation file {scenes} is cut short']
    names = {image['id']: Path(image['file_name']).stem for image in coco['images']}
    seen = Counter()
    files = []
    for digit in coco['annotations']:
        scene = digit['image_id']
        files.append(folder / str(digit['category_id'] - 1) / f'{names[scene]}_{seen[scene]}.png')
        seen[scene] += 1
    return _listed(files, f'the digits of {scenes}')


def _class_folders(folder: Path, kind: str, dataset: dict) -> tuple[str, list[str]]:
    """A folder of images for every class; a folder of images alone where no labels are wanted."""
    children = sorted(child for child in folder.iterdir() if child.is_dir())
    extensions = tuple(dataset.get('extensions', IMAGES))
    if dataset.get('with_label') is False or not children:
        whole = any(file.suffix.lower() in extensions for file in folder.rglob('*'))
        return f'images in {folder}', [] if whole else [f'the folder {folder} holds no image']
    expected = (
        IMAGENET_CLASSES
        if kind == 'ImageNet'
        else len((dataset.get('metainfo') or {}).get('classes') or children)
    )
    faults = []
    if len(children) != expected:
        faults.append(f'{folder} has {len(children)} class folders, not {expected}')
    empty = [
        child for child in children if not any(e.name.lower().endswith(extensions) for e in os.scandir(child))
    ]
    if empty:
        faults.append(
            f'{len(empty)} of the {len(children)} class folders of {folder} are empty (first: {empty[0]})'
        )
    return f'{len(children)} class folders in {folder}', faults


def _lines(file: Path) -> list[str]:
    """The lines of a list that are not empty."""
    return [line.strip() for line in file.read_text().splitlines() if line.strip()]
