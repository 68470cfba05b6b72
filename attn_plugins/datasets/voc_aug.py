"""The SBD's masks for VOC 2012: .mat files become PNG, and lists name them (Hariharan et al., ICCV 2011).

What is written is what mmseg's tools/dataset_converters/voc_aug.py writes, in alphabetical order.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import loadmat

from attn_plugins.datasets.convert import convert_masks, write_list
from attn_plugins.errors import UserError

RELEASE = 'benchmark_RELEASE'  # the folder that benchmark.tgz holds
TRAINAUG = 10582  # as mmseg's voc_aug.py expects it


@dataclass(frozen=True)
class Converted:
    """How many masks there are, how many of them were written now, and the length of trainaug.txt and aug.txt."""

    masks: int
    written: int
    trainaug: int
    aug: int


def convert_voc_aug(devkit: Path, sbd: Path, out: Path | None = None, processes: int = 1) -> Converted:
    """Converts the SBD's masks, and lists them beside VOC's own lists of 2012.

    trainaug.txt has every image with a mask of either that is not of VOC's val, aug.txt those that VOC has no mask of.

    Args:
        devkit (Path): VOCdevkit, which holds VOC2012.
        sbd (Path): The SBD, which holds dataset/cls; or the folder that it was unpacked into.
        out (Path, optional): Where the masks go; by default VOC2012/SegmentationClassAug.
        processes (int): How many files are converted at once.

    Raises:
        UserError: Either folder is none of its kind, or a file cannot be read.
    """
    lists = devkit / 'VOC2012' / 'ImageSets' / 'Segmentation'
    for name in ('train.txt', 'val.txt'):
        if not (lists / name).is_file():
            raise UserError(
                f'{devkit} is no VOCdevkit with VOC 2012, it lacks {(lists / name).relative_to(devkit)}: give the folder '
                'that holds VOC2012'
            )
    home = next((home for home in (sbd, sbd / RELEASE) if (home / 'dataset' / 'cls').is_dir()), None)
    if home is None:
        raise UserError(
            f'{sbd} is not the SBD, it lacks dataset/cls: give the folder that benchmark.tgz was unpacked into'
        )
    sbd_lists = [home / 'dataset' / name for name in ('train.txt', 'val.txt')]
    for path in sbd_lists:
        if not path.is_file():
            raise UserError(f'{path} is missing: unpack benchmark.tgz again')
    files = sorted((home / 'dataset' / 'cls').glob('*.mat'))
    if not files:
        raise UserError(f'{home / "dataset" / "cls"} holds no .mat file: unpack benchmark.tgz again')
    out = out or devkit / 'VOC2012' / 'SegmentationClassAug'
    pairs = [(file, out / f'{file.stem}.png') for file in files]
    written = convert_masks(read_mat, pairs, processes, 'masks of the SBD')
    train, val = (_names(lists / name) for name in ('train.txt', 'val.txt'))
    added = _names(sbd_lists[0]) | _names(sbd_lists[1])
    trainaug, aug = sorted((train | added) - val), sorted(added - train - val)
    write_list(lists / 'trainaug.txt', trainaug)
    write_list(lists / 'aug.txt', aug)
    return Converted(len(pairs), written, len(trainaug), len(aug))


def read_mat(path: Path) -> Image.Image:
    """The classes (H, W) of one of the SBD's files: 0 is the background, 1 to 20 are VOC's."""
    segmentation = loadmat(path, variable_names=['GTcls'])['GTcls'][0]['Segmentation'][0]
    return Image.fromarray(segmentation.astype(np.uint8))


def _names(path: Path) -> set[str]:
    return set(path.read_text().split())
