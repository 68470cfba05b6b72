"""A folder of images for every class, as ImageNet has them, and what is not yet one."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from attn_plugins.datasets.found import Found, Sample
from attn_plugins.datasets.misplaced import move_up

IMAGES = ('.jpg', '.jpeg', '.png', '.ppm', '.bmp', '.pgm', '.tif')
IMAGENET_CLASSES = 1000
CAFFE_LISTS = 'https://download.openmmlab.com/mmclassification/datasets/imagenet/meta/caffe_ilsvrc12.tar.gz'


def class_folders(folder: Path, kind: str, dataset: dict) -> Found:
    """A folder of images for every class; a folder of images alone where no labels are wanted."""
    extensions = tuple(dataset.get('extensions', IMAGES))
    children = sorted(child for child in folder.iterdir() if child.is_dir())
    found = Found(samples=partial(_images_below, folder, extensions))
    if dataset.get('with_label') is False or not children:
        found.content = f'images in {folder}'
        first = next(found.samples(), None)
        if first is None:
            found.faults = [f'the folder {folder} holds no image']
        elif kind == 'ImageNet' and dataset.get('with_label') is not False:
            found.faults = [
                f'{folder} holds images without class folders, which have no labels (first: {first.image})'
            ]
            found.advice = (
                f'unpack train.txt and val.txt of {CAFFE_LISTS} into {folder.parent}/meta, where mmpretrain reads the '
                'labels, or sort the images into a folder for every class'
            )
        return _not_unpacked(found, folder)
    classes = (dataset.get('metainfo') or {}).get('classes') or children
    expected = IMAGENET_CLASSES if kind == 'ImageNet' else len(classes)
    found.content = f'{len(children)} class folders in {folder}'
    if len(children) != expected:
        found.faults.append(f'{folder} has {len(children)} class folders, not {expected}')
        if len(children) == 1 and children[0].name == folder.name:
            found.advice = f'its images stand one level too deep, so run `{move_up(children[0], folder)}`'
    empty = [child for child in children if not _holds_image(child, extensions)]
    if empty:
        what = f'{len(empty)} of the {len(children)} class folders of {folder} are empty'
        found.faults.append(f'{what} (first: {empty[0]})')
    return _not_unpacked(found, folder)


def _not_unpacked(found: Found, folder: Path) -> Found:
    """ImageNet's training images come as a tar file of a tar file for every class."""
    if found.faults and found.advice is None:
        archives = sum(e.name.endswith('.tar') for e in os.scandir(folder))
        if archives:
            found.advice = (
                f'{archives} tar files in it are not unpacked: run `cd {folder} && for f in *.tar; do mkdir -p '
                '"${f%.tar}" && tar -xf "$f" -C "${f%.tar}" && rm "$f"; done`'
            )
    return found


def _holds_image(folder: Path, extensions: tuple[str, ...]) -> bool:
    # The first name nearly always answers it; a walk reads them all.
    return any(e.name.lower().endswith(extensions) for e in os.scandir(folder)) or any(
        _images_below(folder, extensions)
    )


def _images_below(folder: Path, extensions: tuple[str, ...]) -> Iterator[Sample]:
    """The images of a folder and of those in it, as mmpretrain reads them."""
    for path, _, names in os.walk(folder):
        for name in sorted(names):
            if name.lower().endswith(extensions):
                yield Sample(Path(path, name))
