"""What a built dataset lists: its files, how often each class occurs, and the ids of its images."""

import os
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from mmengine.dataset import BaseDataset
from torch.utils.data import Dataset


@dataclass
class Survey:
    """What a dataset lists.

    Attributes:
        files (dict[str, list]): For every field that names files, as `img_path`, the number of a sample and its file.
        labels (Counter): How many images or boxes each class has, by its number.
        is_labelled (bool): Whether the samples say what is on them: a class or boxes. Masks are not counted here.
        image_ids (list): The numbers that COCO's images have.
    """

    files: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    labels: Counter = field(default_factory=Counter)
    is_labelled: bool = False
    image_ids: list = field(default_factory=list)


def survey(dataset: Dataset) -> Survey:
    """Goes through the list of a dataset without opening a file; of one that is not mmengine's nothing is known."""
    found = Survey()
    if not isinstance(dataset, BaseDataset):
        return found
    for i in range(len(dataset)):
        # The base class's: another may draw its images there.
        info = BaseDataset.get_data_info(dataset, i)
        for name, value in info.items():
            if name.endswith('_path'):
                for path in value if isinstance(value, (list, tuple)) else [value]:
                    if isinstance(path, (str, os.PathLike)):
                        found.files.setdefault(name, []).append((i, os.fspath(path)))
        if 'gt_label' in info:
            found.is_labelled = True
            label = info['gt_label']
            if not isinstance(label, dict):  # several tasks have a label each
                found.labels.update(
                    [label] if isinstance(label, int) else np.ravel(label).astype(int).tolist()
                )
        for instance in info.get('instances') or ():
            if 'bbox_label' in instance:
                found.labels[int(instance['bbox_label'])] += 1
        found.is_labelled |= 'instances' in info
        if 'img_id' in info:
            found.image_ids.append(info['img_id'])
    return found


def absent_files(files: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Those of the files that are not there; folders are read once, not file by file."""
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
