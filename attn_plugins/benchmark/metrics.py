"""Chooses the metric that a run is scored by, and its unit."""

from dataclasses import dataclass

# Metric as the library names it -> (name as papers write it, factor to percent points). mmdet reports fractions, mmseg
# and mmpretrain report percent.
HEADLINES = {
    'coco/bbox_mAP': ('box mAP', 100.0),
    'pascal_voc/mAP': ('VOC mAP', 100.0),
    'mIoU': ('mIoU', 1.0),
    'accuracy/top1': ('top-1', 1.0),
}


@dataclass(frozen=True)
class Metric:
    """A metric as it is shown: in percent with the unit ' %' if it is known to be a share, else as it was reported."""

    key: str
    name: str
    value: float
    unit: str


def headline(metrics: dict[str, float]) -> Metric:
    """Choose the metric that a run is scored by: the first of `HEADLINES` there is, else the first that was reported.

    JSON files keep what is not finite as 'nan', 'inf' or '-inf' (`files.write_json`), which `float` reads.
    """
    for key, (name, factor) in HEADLINES.items():
        if key in metrics:
            return Metric(key, name, factor * float(metrics[key]), ' %')
    key = next(iter(metrics))
    return Metric(key, key, float(metrics[key]), '')
