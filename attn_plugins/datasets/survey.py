"""Surveys a built dataset: its files, how often each class occurs, and the ids of its images."""

import os
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from mmengine.dataset import BaseDataset
from torch.utils.data import Dataset

from attn_plugins.datasets.built import as_a_runner
from attn_plugins.datasets.read import read_dataset


@dataclass
class Survey:
    """What a dataset lists.

    Attributes:
        files (dict[str, list]): For every field that names files, as `img_path`, the number of a sample and its file.
        labels (Counter): How many images or boxes each class has, by its number.
        is_labelled (bool): Whether the samples have a class or boxes. Masks are not counted here.
        image_ids (list): The ids of COCO's images.
        boxes, boxes_beyond (int): How many boxes there are, and how many reach beyond their image's right or lower
            side.
    """

    files: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    labels: Counter = field(default_factory=Counter)
    is_labelled: bool = False
    image_ids: list = field(default_factory=list)
    boxes: int = 0
    boxes_beyond: int = 0


@dataclass
class DatasetCheck:
    """The result of the check of one dataset.

    Attributes:
        split (str): 'train', 'val' or 'test' of a config's dataloaders, or the split's own name.
        key (str): The key of its config, as `train_dataloader.dataset`.
        config (dict): Its config.
        scope (str, optional): The library whose classes its types name.
        content (str): What it holds.
        faults (list[str]): A sentence for everything that must be put right; empty if the dataset is complete.
        warnings (list[str]): A sentence for everything that is odd but may be meant.
        dataset (Dataset, optional): The dataset; None if it could not be built.
        whole (Dataset, optional): The dataloader's dataset, of which this one is a part.
        survey (Survey): What it lists.
        ignored (frozenset[int]): The values of mask pixels that have no class for the model, as its config says.
    """

    split: str
    key: str
    config: dict
    scope: str | None
    content: str = ''
    faults: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    dataset: Dataset | None = None
    whole: Dataset | None = None
    survey: Survey = field(default_factory=Survey)
    ignored: frozenset[int] = frozenset()

    def read(self) -> tuple[int, list[str], list[str]]:
        """Reads every file with a progress bar and returns the number of samples, the faults and the oddities."""
        if self.dataset is None:
            return 0, [], []
        with as_a_runner(self.scope):
            return read_dataset(self.dataset, self.ignored)


def survey(dataset: Dataset) -> Survey:
    """Goes through the list of a dataset without opening a file; finds nothing if it is not one of mmengine's."""
    found = Survey()
    if not isinstance(dataset, BaseDataset):
        return found
    for i in range(len(dataset)):
        # The base class's method: an override may load the image here.
        info = BaseDataset.get_data_info(dataset, i)
        for name, value in info.items():
            if name.endswith('_path'):
                for path in value if isinstance(value, (list, tuple)) else [value]:
                    if isinstance(path, (str, os.PathLike)):
                        found.files.setdefault(name, []).append((i, os.fspath(path)))
        if 'gt_label' in info:
            numbers = _class_numbers(info['gt_label'])
            found.labels.update(numbers)
            found.is_labelled |= bool(numbers)
        height, width = info.get('height'), info.get('width')
        for instance in info.get('instances') or ():
            if instance.get('ignore_flag'):  # such as crowds, which have no class in some data sets
                continue
            found.labels.update(_class_numbers(instance.get('bbox_label')))
            found.boxes += 1
            box = instance.get('bbox')
            if (
                isinstance(width, int)
                and isinstance(height, int)
                and isinstance(box, (list, tuple))
                and len(box) == 4
            ):
                found.boxes_beyond += box[2] > width + 1 or box[3] > height + 1
        found.is_labelled |= 'instances' in info
        if 'img_id' in info:
            found.image_ids.append(info['img_id'])
    return found


def _class_numbers(label: object) -> list[int]:
    """Returns the class numbers of a label; none for a dict (several tasks), for words, and for fractions."""
    if isinstance(label, int):
        return [label]
    try:
        values = np.ravel(label)
    except ValueError:
        return []
    return values.tolist() if values.dtype.kind in 'iu' else []


def absent_files(files: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Returns those of the files that do not exist; reads folders once, not file by file."""
    names: dict[str, set[str]] = {}
    absent = []
    for i, path in files:
        if '://' in path:  # on another machine
            continue
        folder, name = os.path.split(path)
        if folder not in names:
            names[folder] = set(os.listdir(folder or '.')) if os.path.isdir(folder or '.') else set()
        if name not in names[folder]:
            absent.append((i, path))
    return absent
