"""Checks that a model's heads have the classes of the data: their number, their weights, and labels of mixed images."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from mmengine.config import Config

from attn_plugins.datasets.sources import type_name
from attn_plugins.registry import listed

if TYPE_CHECKING:  # the options of configs are checked by it, before torch is imported
    from attn_plugins.datasets.survey import DatasetCheck

# The key, in a config or after --cfg-options, with which users declare that they mean it.
SPARE = 'allow_spare_classes'
# Parts of a model whose classes are not those of the data set: proposals, stuff, boundaries, one head a task, a
# teacher.
OTHER_CLASSES = (
    'backbone', 'neck', 'data_preprocessor', 'rpn_head', 'semantic_head',
    'task_heads', 'teacher', 'reid', 'train_cfg', 'test_cfg',
)  # fmt: skip
OTHER_HEADS = ('STDCHead',)


def built_model(cfg: Config) -> dict:
    """Returns the config of the model that learns: for a Distiller the student's."""
    model = cfg.get('model') or {}
    return model['student'] if isinstance(model.get('student'), dict) else model


def is_tracker(cfg: Config) -> bool:
    """Tells whether the model is a tracker: a detector of few classes, tested on a tracking data set of more."""
    return 'tracker' in built_model(cfg)


def is_open_vocabulary(cfg: Config) -> bool:
    """Tells whether the model learns words and not class numbers, as GLIP and Grounding DINO do."""
    return 'language_model' in built_model(cfg)


def heads_of(model: dict | Sequence, path: str) -> Iterator[tuple[str, dict]]:
    """Yields the heads of a model's config whose classes are those of its data, with their keys."""
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
        is_head = isinstance(value, dict) and 'head' in name and isinstance(value.get('num_classes'), int)
        if is_head and type_name(value) not in OTHER_HEADS and 'num_things_classes' not in value:
            yield name, value
        yield from heads_of(value, name)


def compare_heads(
    names: tuple[str, ...] | None, check: 'DatasetCheck', heads: list[tuple[str, dict]], spare: bool
) -> None:
    """Adds a fault for heads with fewer classes than the data, or with more if that is not declared as meant.

    mmdet's own check requires an equal number. A classifier's outputs without data only cost their weights, which is no
    fault.
    """
    metainfo = getattr(check.dataset, 'metainfo', None) or {}
    # Of mmdet's panoptic data only things have boxes.
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
        f'it has {len(names)} classes ({listed(names)})'
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


def unlike_one_hot(cfg: Config, heads: list[tuple[str, dict]]) -> str | None:
    """Returns the sentence for mixed batches (mmpretrain's Mixup) whose labels differ in length from the head's."""
    model = built_model(cfg)
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
        f'data_preprocessor.num_classes is {number} and {heads[0][0]}.num_classes '
        f'{heads[0][1]["num_classes"]}, so that the labels '
        f'of mixed images would not fit: set data_preprocessor.num_classes={heads[0][1]["num_classes"]}'
    )


def unlike_weights(head: tuple[str, dict]) -> str | None:
    """Returns the sentence for a segmentation loss whose class weights differ in number from its head's classes."""
    path, options = head
    losses = options.get('loss_decode') or ()
    for i, loss in enumerate(losses if isinstance(losses, (list, tuple)) else [losses]):
        weights = loss.get('class_weight')
        if isinstance(weights, (list, tuple)) and len(weights) != options['num_classes']:
            key = f'{path}.loss_decode' + (f'.{i}' if isinstance(losses, (list, tuple)) else '')
            return (
                f'{key}.class_weight has {len(weights)} numbers and {path}.num_classes is '
                f'{options["num_classes"]}: give one for each class, or set {key}.class_weight=None'
            )
    return None


def _settings(heads: list[tuple[str, int]], number: int) -> str:
    return ' '.join(f'{path}.num_classes={number}' for path, _ in heads)
