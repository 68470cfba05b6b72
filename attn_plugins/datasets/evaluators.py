"""Checks that an evaluator scores the images, the classes and the numbers of the data that it is given."""

import os
from collections.abc import Sequence

from attn_plugins.datasets.coco_json import category_names, image_ids
from attn_plugins.datasets.sources import type_name
from attn_plugins.datasets.survey import DatasetCheck


def best_of_too_many(evaluators: dict | list | None, key: str, heads: list[tuple[str, dict]]) -> list[str]:
    """Returns sentences for a top-k accuracy of fewer than k classes; mmpretrain refuses it after the first epoch."""
    classes = min((head['num_classes'] for _, head in heads), default=None)
    faults = []
    for i, evaluator in enumerate(evaluators if isinstance(evaluators, (list, tuple)) else [evaluators]):
        named = isinstance(evaluator, dict) and type_name(evaluator) == 'Accuracy'
        topk = evaluator.get('topk') if named else None
        most = max(topk) if isinstance(topk, (list, tuple)) and topk else topk
        if isinstance(most, int) and classes is not None and most > classes:
            name = f'{key}.{i}.topk' if isinstance(evaluators, (list, tuple)) else f'{key}.topk'
            faults.append(f'{name} asks for the best {most} of {classes} classes: set {name}=1')
    return faults


def compare_evaluators(
    names: Sequence[str] | None, checks: list[DatasetCheck], evaluators: dict | list | None, key: str
) -> None:
    """Adds a fault if an evaluator's annotation file does not belong to the images that it scores."""
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
            orders = [_order(path, names) for path in (ann_file, *own) if path.endswith('.json')]
        except (ValueError, KeyError, TypeError, OSError):  # of another format than COCO's
            continue
        same = len(own) == 1 and os.path.isfile(own[0]) and os.path.samefile(own[0], ann_file)
        advice = f'set {name}={own[0]}' if len(own) == 1 else 'give both the same file'
        if given - scored:
            checks[0].faults.append(
                f'{name} {ann_file} lacks {len(given - scored)} of the {len(given)} images that it is to score '
                f'(first: id {min(given - scored, key=str)}): {advice}'
            )
        elif scored - given and given:
            text = (
                f'{name} {ann_file} has {len(scored - given)} images that are not in the data set, and each '
                'would count as one on which nothing was found'
            )
            # With `indices` it may be a look at a few images, whose score nobody takes for the score of all.
            (checks[0].warnings if same else checks[0].faults).append(
                f'{text}: {advice}' if not same else text
            )
        elif len(set(orders)) > 1:
            checks[0].faults.append(
                f'{name} {ann_file} numbers its categories otherwise than {own[0]}: {advice}'
            )


def _order(path: str, names: Sequence[str] | None) -> tuple[tuple[int, str], ...]:
    """Returns the categories of a file that are among the classes, in the file's order, which sets their numbers."""
    return tuple(item for item in category_names(path).items() if names is None or item[1] in names)
