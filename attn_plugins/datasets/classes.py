"""Checks that the splits of the data, heads and evaluators agree on the classes: their names, number and order."""

import os
from collections import Counter
from pathlib import Path

from mmengine.config import Config

from attn_plugins.datasets.coco_json import category_names
from attn_plugins.datasets.evaluators import best_of_too_many, compare_evaluators
from attn_plugins.datasets.heads import (
    SPARE,
    built_model,
    compare_heads,
    heads_of,
    is_open_vocabulary,
    is_tracker,
    unlike_one_hot,
    unlike_weights,
)
from attn_plugins.datasets.survey import DatasetCheck
from attn_plugins.registry import listed, nearest

# What notebooks and archives leave beside the folders of classes, and the folders of splits.
JUNK = ('__MACOSX', '@eaDir')  # and hidden ones
SPLITS = {'train', 'training', 'val', 'valid', 'validation', 'test', 'testing'}


def misread_classes(config: dict) -> str | None:
    """Returns the sentence for classes in a config that would be misread or ignored.

    `classes=('ship')` is a string, whose letters would be taken for classes; `CLASSES` was their name in older
    versions.
    """
    metainfo = config.get('metainfo') or {}
    if 'CLASSES' in metainfo and 'classes' not in metainfo:
        return 'metainfo.CLASSES is read by nothing: it is called metainfo.classes now'
    for where, value in (('metainfo.classes', metainfo.get('classes')), ('classes', config.get('classes'))):
        if isinstance(value, (list, tuple)) and len(set(map(str, value))) < len(value):
            twice = next(str(name) for name in value if list(value).count(name) > 1)
            return f'{where} names {twice} twice: every class has one name of its own'
        if isinstance(value, str) and not Path(value).exists():
            name = where.rpartition('.')[2]
            return f'{where} is the string {value!r} and no list of names: write {name}=({value!r},), with a comma'
    return None


def compare_classes(cfg: Config, checks: list[DatasetCheck]) -> None:
    """Adds to the checks of a config's datasets which classes do not fit each other, the model or the metric."""
    for check in checks:
        check.faults += _unknown_categories(check) or _labels_beyond(check) or _junk(check)
    for split in dict.fromkeys(check.split for check in checks):
        _count_classes([check for check in checks if check.split == split])
    trained = [check for check in checks if check.split == 'train']
    for check in checks:
        if check.split != 'train' and trained and not is_open_vocabulary(cfg):
            _compare_splits(trained[0], check)
    if not any(check.faults for check in checks) and not is_open_vocabulary(cfg):
        heads = list(heads_of(built_model(cfg), 'model'))
        for split in dict.fromkeys(check.split for check in checks):
            check = next(check for check in checks if check.split == split)
            if split == 'train' or not is_tracker(cfg):
                compare_heads(class_names(check), check, heads, bool(cfg.get(SPARE)))
            if split != 'train':
                check.faults += best_of_too_many(cfg.get(f'{split}_evaluator'), f'{split}_evaluator', heads)
        if checks:
            checks[0].faults += filter(None, [unlike_one_hot(cfg, heads), *map(unlike_weights, heads)])
    for split in ('val', 'test'):
        own = [check for check in checks if check.split == split]
        if own:
            compare_evaluators(class_names(own[0]), own, cfg.get(f'{split}_evaluator'), f'{split}_evaluator')


def class_names(check: DatasetCheck) -> tuple[str, ...] | None:
    """Returns a dataset's classes in the order of their numbers, None if it does not say.

    For a dataset that joins others they are its own.
    """
    metainfo = getattr(check.whole, 'metainfo', None)
    if not isinstance(metainfo, dict) or 'classes' not in metainfo:
        metainfo = getattr(check.dataset, 'metainfo', None) or {}
    classes = metainfo.get('classes')
    return None if classes is None or isinstance(classes, str) else tuple(map(str, classes))


def _numbered(check: DatasetCheck) -> tuple[str, ...] | None:
    """Returns the classes in the order of the labels' numbers.

    mmdet's COCO numbers them as the file does, whatever the config's order.
    """
    categories = _categories(check)
    if categories:
        return tuple(str(categories.get(key, key)) for key in check.dataset.cat_ids)
    return class_names(check)


def _categories(check: DatasetCheck) -> dict[int, str] | None:
    ann_file = str(getattr(check.dataset, 'ann_file', None))
    if (
        not hasattr(check.dataset, 'cat_ids')
        or not ann_file.endswith('.json')
        or not os.path.isfile(ann_file)
    ):
        return None
    try:
        return category_names(ann_file)
    except ValueError:
        return None


def _unknown_categories(check: DatasetCheck) -> list[str]:
    """Finds names of the config that the annotation file lacks: the numbers of all classes after them would shift."""
    categories, names = _categories(check), class_names(check)
    if not categories or names is None or len(check.dataset.cat_ids) >= len(names):
        return []
    absent = [name for name in names if name not in categories.values()]
    if not absent:
        return []
    there = listed(list(categories.values()))
    hint = nearest(absent[0], categories.values()) if len(categories) <= 30 else f'it has {there}'
    return [
        f'{check.dataset.ann_file} has no category {listed(absent)} of its {len(names)} classes, so that the '
        'numbers of the '
        f'others would be shifted: {hint}; set metainfo=dict(classes=...) to what the file has, here and in every split'
    ]


def _labels_beyond(check: DatasetCheck) -> list[str]:
    names, labels = class_names(check), check.survey.labels
    beyond = sorted(label for label in labels if names is not None and label >= len(names))
    if not beyond:
        return []
    return [
        f'{labels[beyond[0]]} labels are {beyond[0]}, and there are {len(names)} classes, numbered from 0: '
        'number them anew, or name all classes'
    ]


def _junk(check: DatasetCheck) -> list[str]:
    """Finds folders that are taken for classes but are none."""
    folders = getattr(check.dataset, 'folder_to_idx', None) or {}
    junk = [name for name in folders if name in JUNK or name.startswith('.')]
    if junk:
        return [f'the folder {check.dataset.img_prefix}/{junk[0]} is taken for a class: delete it']
    if len(folders) > 1 and {name.lower() for name in folders} <= SPLITS:
        check.warnings.append(
            f'its classes are called {", ".join(folders)}: data_prefix is the folder above those of the '
            'classes, if these are splits'
        )
    return []


def _count_classes(checks: list[DatasetCheck]) -> None:
    """Adds a fault if all parts of a split together have no sample of any class, or of some."""
    first = checks[0]
    names = class_names(first)
    labels = sum((check.survey.labels for check in checks), Counter())
    if (
        not names
        or any(check.faults for check in checks)
        or not any(check.survey.is_labelled for check in checks)
    ):
        return
    absent = [name for i, name in enumerate(names) if not labels[i]]
    number = sum(len(check.dataset) for check in checks)
    if len(absent) == len(names):
        # Images without boxes may be meant, as in a test without labels.
        meant = (
            first.split == 'test' or (first.config.get('filter_cfg') or {}).get('filter_empty_gt') is False
        )
        text = f'none of its {number} images has anything of its classes {listed(absent)}'
        if first.split == 'train' and not meant:
            first.faults.append(
                f'{text}: set metainfo=dict(classes=...) to the names that the annotations have, and boxes in pixels'
            )
        elif not meant:
            first.warnings.append(text)
    elif absent and first.split != 'test':
        first.warnings.append(
            f'no image has anything of {len(absent)} of its {len(names)} classes: {listed(absent)}'
        )
    boxes, beyond = (
        sum(getattr(check.survey, name) for check in checks) for name in ('boxes', 'boxes_beyond')
    )
    if beyond * 10 > boxes:
        first.warnings.append(
            f'{beyond} of {boxes} boxes leave their images: are corners given where width and height are read? '
            '`check_data.py --read-files` names them'
        )


def _compare_splits(train: DatasetCheck, other: DatasetCheck) -> None:
    """Adds the classes that a split numbers or names differently from the training data."""
    zeros = [getattr(check.dataset, 'reduce_zero_label', None) for check in (train, other)]
    if None not in zeros and zeros[0] != zeros[1]:
        other.faults.append(
            f'reduce_zero_label is {zeros[1]} here and {zeros[0]} in {train.key}, so that the numbers are '
            'shifted by one: set both alike'
        )
        return
    ours, theirs = _numbered(train), _numbered(other)
    if ours is None or theirs is None or ours == theirs:
        return
    for i, name in enumerate(theirs):
        if name in ours and name not in ours[i : i + 1]:
            other.faults.append(
                f'its classes are numbered otherwise than those of {train.key}: {name} is class {i} here and class '
                f'{ours.index(name)} there: give both the same classes in the same order'
                + _how_to_align(other)
            )
            return
    differ = [f'{a} / {b}' for a, b in zip(ours, theirs, strict=False) if a != b]
    if differ:
        other.warnings.append(f'its classes have other names than those of {train.key}: {listed(differ)}')
    elif len(ours) != len(theirs):
        other.warnings.append(f'it has {len(theirs)} classes, {train.key} has {len(ours)}')


def _how_to_align(check: DatasetCheck) -> str:
    if hasattr(check.dataset, 'folder_to_idx'):
        return ' (an empty folder stands for a class without images)'
    return ''
