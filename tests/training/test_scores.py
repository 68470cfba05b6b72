"""What chance is for the metrics of the three libraries."""

import math
from types import SimpleNamespace

import pytest

from attn_plugins.training.scores import NO_DETECTOR, chance


def dataset(labels=(), classes=4):
    return SimpleNamespace(get_gt_labels=lambda: labels, metainfo=dict(classes=['c'] * classes))


@pytest.mark.parametrize(
    ('metric', 'most'),
    [
        ('accuracy/top1', 100 * (0.5 + 3 * math.sqrt(0.5 * 0.5 / 8))),
        ('mIoU', 25.0),
        ('coco/bbox_mAP', NO_DETECTOR),
        ('pascal_voc/mAP', NO_DETECTOR),
        ('accuracy/top5', None),
        ('coco/bbox_mAP_50', None),
    ],
)
def test_chance(metric, most):
    assert chance(metric, dataset([0, 0, 0, 0, 1, 2, 3, 3])) == (
        most if most is None else pytest.approx(most)
    )


def test_labels_are_found_behind_wrappers():
    wrapped = SimpleNamespace(dataset=SimpleNamespace(dataset=dataset([0] * 100)))
    assert chance('accuracy/top1', wrapped) == 100
