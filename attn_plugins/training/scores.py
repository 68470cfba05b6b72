"""Computes the lowest meaningful scores: chance level, and a detector that finds nothing."""

import math
from collections import Counter
from collections.abc import Sequence

from mmengine.hooks import Hook
from mmengine.runner import Runner

# What a detector without knowledge scores. Of ten thousand boxes some are right.
NO_DETECTOR = 0.01
# What mmdet's COCO metric reports of boxes, and of masks, unless it is asked for less.
COCO_ITEMS = ('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l')


class NoDetectionsHook(Hook):
    """Gives a detector that finds nothing in a whole data set scores of 0; mmdet's COCO metric gives none."""

    priority = 'HIGHEST'  # hooks that read the scores come after it

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Fills in missing scores after a validation."""
        self._fill(runner, runner.val_loop.evaluator.metrics, metrics)

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Fills in missing scores after a test."""
        self._fill(runner, runner.test_loop.evaluator.metrics, metrics)

    def _fill(self, runner: Runner, asked: Sequence, metrics: dict[str, float]) -> None:
        for metric in asked:
            if not any(kind.__name__ == 'CocoMetric' for kind in type(metric).__mro__) or metric.format_only:
                continue
            prefix = f'{metric.prefix}/' if metric.prefix else ''
            kinds = [kind for kind in metric.metrics if kind in ('bbox', 'segm')]
            empty = [
                kind for kind in kinds if not any(name.startswith(f'{prefix}{kind}_') for name in metrics)
            ]
            for kind in empty:
                metrics.update({f'{prefix}{kind}_{item}': 0.0 for item in metric.metric_items or COCO_ITEMS})
            if empty:
                runner.logger.warning(f'no {" and no ".join(empty)} was found in any image: the scores are 0')


class ChanceHook(Hook):
    """Keeps what chance reaches for each metric of a test.

    Attributes:
        bounds (dict[str, float]): Metric -> the highest score of a model without knowledge; metrics for which it is not
            known are left out.
    """

    def __init__(self):
        self.bounds: dict[str, float] = {}

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Computes the chance level of each metric after a test."""
        known = {name: chance(name, runner.test_loop.dataloader.dataset) for name in metrics}
        self.bounds = {name: bound for name, bound in known.items() if bound is not None}


def chance(metric: str, dataset) -> float | None:
    """Returns the highest score of a model without knowledge, None for metrics for which it is not known.

    Args:
        metric (str): Its name in the log, as 'accuracy/top1'.
        dataset: What it is computed on.
    """
    last = metric.split('/')[-1]
    if last == 'mIoU':
        return 100 / len(dataset.metainfo['classes'])
    if last in ('bbox_mAP', 'mAP'):
        return NO_DETECTOR
    if last == 'top1':
        labels = _labels(dataset)
        if not labels:
            return None
        share = max(Counter(labels).values()) / len(labels)
        return 100 * (share + 3 * math.sqrt(share * (1 - share) / len(labels)))
    return None


def _labels(dataset) -> list[int]:
    """Returns the labels of a classification data set, also behind wrappers; none if it does not provide them."""
    while dataset is not None and not hasattr(dataset, 'get_gt_labels'):
        dataset = getattr(dataset, 'dataset', None)
    return [] if dataset is None else [int(label) for label in dataset.get_gt_labels()]
