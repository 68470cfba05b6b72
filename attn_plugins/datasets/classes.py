"""Whether data, heads and evaluators agree on the classes: their number, their names, their order, and the images."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mmengine.config import Config

from attn_plugins.datasets.coco_json import category_names, image_ids
from attn_plugins.registry import nearest

if TYPE_CHECKING:
    from attn_plugins.datasets.check import DatasetCheck

# The word for those who mean it, in a config or behind --cfg-options.
SPARE = 'allow_spare_classes'
# Parts of a model whose classes are not those of the data set: proposals, stuff, boundaries, one head a task, a teacher.
OTHER_CLASSES = (
    'backbone', 'neck', 'data_preprocessor', 'rpn_head', 'semantic_head', 'task_heads', 'teacher', 'reid', 'train_cfg', 'test_cfg',
)  # fmt: skip
OTHER_HEADS = ('STDCHead',)
# What notebooks and archives leave beside the folders of classes, and the folders of splits.
JUNK = ('__MACOSX', '.ipynb_checkpoints', '.DS_Store', '@eaDir')
SPLITS = {'train', 'training', 'val', 'valid', 'validation', 'test', 'testing'}
SHOWN = 5  # names in a sentence


def misread_classes(config: dict) -> str | None:
    """The sentence for classes that would be read otherwise than they are meant, or not at all.

    `classes=('ship')` is a string, whose letters would be taken for classes; `CLASSES` was their name in older versions.
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


def compare_classes(cfg: Config, checks: list['DatasetCheck']) -> None:
    """Adds to the checks of a config's datasets what of their classes fits neither each other, nor the model, nor the metric."""
    for check in checks:
        check.faults += _unknown_categories(check) or _labels_beyond(check) or _junk(check)
    for split in dict.fromkeys(check.split for check in checks):
        _count_classes([check for check in checks if check.split == split])
    trained = [check for check in checks if check.split == 'train']
    for check in checks:
        if check.split != 'train' and trained and not _is_open_vocabulary(cfg):
            _compare_splits(trained[0], check)
    if not any(check.faults for check in checks) and not _is_open_vocabulary(cfg):
        heads = list(heads_of(_built_model(cfg), 'model'))
        for split in dict.fromkeys(check.split for check in checks):
            check = next(check for check in checks if check.split == split)
            if split == 'train' or not _is_tracker(cfg):
                _compare_heads(check, heads, bool(cfg.get(SPARE)))
            if split != 'train':
                check.faults += _best_of_too_many(cfg.get(f'{split}_evaluator'), f'{split}_evaluator', heads)
        if checks:
            checks[0].faults += filter(None, [_unlike_one_hot(cfg, heads), *map(_unlike_weights, heads)])
    for split in ('val', 'test'):
        own = [check for check in checks if check.split == split]
        if own:
            _compare_evaluators(own, cfg.get(f'{split}_evaluator'), f'{split}_evaluator')


def class_names(check: 'DatasetCheck') -> tuple[str, ...] | None:
    """The classes of a dataset in the order of their numbers, None where it does not say; of one that joins others its own."""
    metainfo = getattr(check.whole, 'metainfo', None)
    if not isinstance(metainfo, dict) or 'classes' not in metainfo:
        metainfo = getattr(check.dataset, 'metainfo', None) or {}
    classes = metainfo.get('classes')
    return None if classes is None or isinstance(classes, str) else tuple(map(str, classes))


def _numbered(check: 'DatasetCheck') -> tuple[str, ...] | None:
    """The classes by the numbers that labels have: mmdet's COCO numbers them as the file does, whatever the config's order."""
    categories = _categories(check)
    if categories:
        return tuple(str(categories.get(key, key)) for key in check.dataset.cat_ids)
    return class_names(check)


def _categories(check: 'DatasetCheck') -> dict[int, str] | None:
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


def _unknown_categories(check: 'DatasetCheck') -> list[str]:
    """Names of the config that the annotation file does not have: the numbers of all behind them would shift."""
    categories, names = _categories(check), class_names(check)
    if not categories or names is None or len(check.dataset.cat_ids) >= len(names):
        return []
    absent = [name for name in names if name not in categories.values()]
    if not absent:
        return []
    there = _listed(list(categories.values()))
    hint = nearest(absent[0], categories.values()) if len(categories) <= 30 else f'it has {there}'
    return [
        f'{check.dataset.ann_file} has no category {_listed(absent)} of its {len(names)} classes, so that the numbers of the '
        f'others would be shifted: {hint}; set metainfo=dict(classes=...) to what the file has, here and in every split'
    ]


def _labels_beyond(check: 'DatasetCheck') -> list[str]:
    names, labels = class_names(check), check.survey.labels
    beyond = sorted(label for label in labels if names is not None and label >= len(names))
    if not beyond:
        return []
    return [
        f'{labels[beyond[0]]} labels are {beyond[0]}, and there are {len(names)} classes, numbered from 0: number them anew, or name '
        'all classes'
    ]


def _junk(check: 'DatasetCheck') -> list[str]:
    """What is no class among the folders that are taken for classes."""
    folders = getattr(check.dataset, 'folder_to_idx', None) or {}
    junk = [name for name in folders if name in JUNK or name.startswith('.')]
    if junk:
        return [f'the folder {check.dataset.img_prefix}/{junk[0]} is taken for a class: delete it']
    if len(folders) > 1 and {name.lower() for name in folders} <= SPLITS:
        check.warnings.append(
            f'its classes are called {", ".join(folders)}: data_prefix is the folder above those of the classes, if these are splits'
        )
    return []


def _count_classes(checks: list['DatasetCheck']) -> None:
    """Adds that the parts of a split have together nothing of its classes, or of some."""
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
        text = f'none of its {number} images has anything of its classes {_listed(absent)}'
        if first.split == 'train' and not meant:
            first.faults.append(
                f'{text}: set metainfo=dict(classes=...) to the names that the annotations have, and boxes in pixels'
            )
        elif not meant:
            first.warnings.append(text)
    elif absent and first.split != 'test':
        first.warnings.append(
            f'no image has anything of {len(absent)} of its {len(names)} classes: {_listed(absent)}'
        )
    boxes, beyond = (
        sum(getattr(check.survey, name) for check in checks) for name in ('boxes', 'boxes_beyond')
    )
    if beyond * 10 > boxes:
        first.warnings.append(
            f'{beyond} of {boxes} boxes leave their images: are corners given where width and height are read? '
            '`check_data.py --read-files` names them'
        )


def _compare_splits(train: 'DatasetCheck', other: 'DatasetCheck') -> None:
    """Adds what a split numbers or names otherwise than the training."""
    zeros = [getattr(check.dataset, 'reduce_zero_label', None) for check in (train, other)]
    if None not in zeros and zeros[0] != zeros[1]:
        other.faults.append(
            f'reduce_zero_label is {zeros[1]} here and {zeros[0]} in {train.key}, so that the numbers are shifted by one: set both alike'
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
        other.warnings.append(f'its classes have other names than those of {train.key}: {_listed(differ)}')
    elif len(ours) != len(theirs):
        other.warnings.append(f'it has {len(theirs)} classes, {train.key} has {len(ours)}')


def _how_to_align(check: 'DatasetCheck') -> str:
    if hasattr(check.dataset, 'folder_to_idx'):
        return ' (an empty folder stands for a class without images)'
    return ''


def heads_of(model: dict | Sequence, path: str) -> Iterator[tuple[str, dict]]:
    """The heads of a model's config whose classes are those of its data, and their keys."""
    items = (
        model.items()
        if isinstance(model, dict)
        else enumerate(model)
        if isinstance(model, (list, tuple))
        else ()
    )
    for key, value in items:
        name = f'{path}.{key}'
        if not isinstance(value, (dict, list, tuple)) or key in OTHER_CLASSES or str(key).startswith('loss'):
            continue
        if isinstance(value, dict) and 'head' in name and isinstance(value.get('num_classes'), int):
            kind = value.get('type')
            kind = kind.__name__ if isinstance(kind, type) else str(kind).rpartition('.')[2]
            if kind not in OTHER_HEADS and 'num_things_classes' not in value:
                yield name, value
        yield from heads_of(value, name)


def _compare_heads(check: 'DatasetCheck', heads: list[tuple[str, dict]], spare: bool) -> None:
    """Adds that heads have fewer classes than the data, or more than those and not said to be meant.

    mmdet's own check wants as many. A classifier's outputs without data only cost their weights, which is no fault.
    """
    names = class_names(check)
    metainfo = getattr(check.dataset, 'metainfo', None) or {}
    # Of mmdet's panoptic data, things alone have boxes.
    things = metainfo.get('thing_classes')
    numbers = {len(part) for part in (names, things) if part is not None}
    most = max(check.survey.labels, default=-1) + 1
    few, many = [], []
    for path, head in heads:
        has = head['num_classes']
        if names is None:
            few += [(path, has)] * (
                has < most and check.split == 'train'
            )  # elsewhere labels may be of a retrieval
        elif has not in numbers:
            (few if has < max(numbers) else many).append((path, has))
    what = (
        f'it has {len(names)} classes ({_listed(names)})'
        if names is not None
        else f'its labels go up to {most - 1}'
    )
    number = len(names) if names is not None else most
    if few:
        last = (
            " (in a detector the number behind its last class is the background's)"
            if check.scope == 'mmdet'
            else ''
        )
        check.faults.append(
            f'{what} and {few[0][0]}.num_classes is {few[0][1]}{last}: set {_settings(few, number)}'
        )
    elif many and not spare:
        text = f'{what} and {many[0][0]}.num_classes is {many[0][1]}: set {_settings(many, number)}'
        if check.scope == 'mmpretrain':
            check.warnings.append(f'{text} if the other outputs are not meant')
        else:
            check.faults.append(
                f'{text}, or {SPARE}=True if the other outputs are meant to stay without data'
            )


def _best_of_too_many(evaluators: dict | list | None, key: str, heads: list[tuple[str, dict]]) -> list[str]:
    """Sentences for an accuracy of the best 5 of 3 classes, which mmpretrain refuses after the first epoch."""
    classes = min((head['num_classes'] for _, head in heads), default=None)
    faults = []
    for i, evaluator in enumerate(evaluators if isinstance(evaluators, (list, tuple)) else [evaluators]):
        named = isinstance(evaluator, dict) and str(evaluator.get('type')).rpartition('.')[2] == 'Accuracy'
        topk = evaluator.get('topk') if named else None
        most = max(topk) if isinstance(topk, (list, tuple)) and topk else topk
        if isinstance(most, int) and classes is not None and most > classes:
            name = f'{key}.{i}.topk' if isinstance(evaluators, (list, tuple)) else f'{key}.topk'
            faults.append(f'{name} asks for the best {most} of {classes} classes: set {name}=1')
    return faults


def _unlike_one_hot(cfg: Config, heads: list[tuple[str, dict]]) -> str | None:
    """The sentence for mixed batches, as mmpretrain's Mixup makes, whose labels are of another length than the head's."""
    model = _built_model(cfg)
    preprocessor = model.get('data_preprocessor') or cfg.get('data_preprocessor') or {}
    mixes = (
        preprocessor.get('to_onehot')
        or (model.get('train_cfg') or {}).get('augments')
        or preprocessor.get('batch_augments')
    )
    number, classes = preprocessor.get('num_classes'), {head['num_classes'] for _, head in heads}
    if not mixes or not isinstance(number, int) or not classes or number in classes:
        return None
    return (
        f'data_preprocessor.num_classes is {number} and {heads[0][0]}.num_classes {heads[0][1]["num_classes"]}, so that the labels '
        f'of mixed images would not fit: set data_preprocessor.num_classes={heads[0][1]["num_classes"]}'
    )


def _unlike_weights(head: tuple[str, dict]) -> str | None:
    """The sentence for a segmentation loss whose weights are of another number of classes than its head."""
    path, options = head
    losses = options.get('loss_decode') or ()
    for i, loss in enumerate(losses if isinstance(losses, (list, tuple)) else [losses]):
        weights = loss.get('class_weight')
        if isinstance(weights, (list, tuple)) and len(weights) != options['num_classes']:
            key = f'{path}.loss_decode' + (f'.{i}' if isinstance(losses, (list, tuple)) else '')
            return (
                f'{key}.class_weight has {len(weights)} numbers and {path}.num_classes is {options["num_classes"]}: give one for each '
                f'class, or set {key}.class_weight=None'
            )
    return None


def _settings(heads: list[tuple[str, int]], number: int) -> str:
    return ' '.join(f'{path}.num_classes={number}' for path, _ in heads)


def _compare_evaluators(checks: list['DatasetCheck'], evaluators: dict | list | None, key: str) -> None:
    """Adds that an evaluator's annotation file is not that of the images it scores."""
    several = isinstance(evaluators, (list, tuple))
    for i, evaluator in enumerate(evaluators if several else [evaluators]):
        ann_file = evaluator.get('ann_file') if isinstance(evaluator, dict) else None
        if not isinstance(ann_file, str) or '://' in ann_file:
            continue
        name = f'{key}.{i}.ann_file' if several else f'{key}.ann_file'
        if not os.path.isfile(ann_file):
            checks[0].faults.append(
                f'{name} {ann_file} is missing: set it to the annotation file of the data set'
            )
            continue
        given = {key for check in checks for key in check.survey.image_ids}
        own = [str(getattr(check.dataset, 'ann_file', '')) for check in checks]
        try:
            scored = image_ids(ann_file)
            orders = [
                _order(path, class_names(checks[0])) for path in (ann_file, *own) if path.endswith('.json')
            ]
        except (ValueError, KeyError, TypeError, OSError):  # of another format than COCO's
            continue
        same = len(own) == 1 and os.path.isfile(own[0]) and os.path.samefile(own[0], ann_file)
        advice = f'set {name}={own[0]}' if len(own) == 1 else 'give both the same file'
        if given - scored:
            checks[0].faults.append(
                f'{name} {ann_file} lacks {len(given - scored)} of the {len(given)} images that it is to score (first: id '
                f'{min(given - scored, key=str)}): {advice}'
            )
        elif scored - given and given:
            text = (
                f'{name} {ann_file} has {len(scored - given)} images that are not in the data set, and each would count as one '
                'on which nothing was found'
            )
            # With `indices` it may be a look at a few images, whose score nobody takes for that of all.
            (checks[0].warnings if same else checks[0].faults).append(
                f'{text}: {advice}' if not same else text
            )
        elif len(set(orders)) > 1:
            checks[0].faults.append(
                f'{name} {ann_file} numbers its categories otherwise than {own[0]}: {advice}'
            )


def _order(path: str, names: Sequence[str] | None) -> tuple[tuple[int, str], ...]:
    """The categories of a file that are among the classes, in its order, which gives them their numbers."""
    return tuple(item for item in category_names(path).items() if names is None or item[1] in names)


def _built_model(cfg: Config) -> dict:
    """The config of the model that learns: of a Distiller that of its student."""
    model = cfg.get('model') or {}
    return model['student'] if isinstance(model.get('student'), dict) else model


def _is_tracker(cfg: Config) -> bool:
    """Whether a detector of few classes is tested on a tracking data set of more."""
    return 'tracker' in _built_model(cfg)


def _is_open_vocabulary(cfg: Config) -> bool:
    """Whether words and not numbers are learned, as GLIP and Grounding DINO do."""
    return 'language_model' in _built_model(cfg)


def _listed(names: Sequence[str]) -> str:
    more = f' and {len(names) - SHOWN} more' if len(names) > SHOWN else ''
    return ', '.join(map(str, names[:SHOWN])) + more
