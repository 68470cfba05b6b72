"""Which of a run's metrics stands for it, and in what unit it is shown."""

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
    """A metric as it is shown: `unit` is ' %' for those known to be shares, '' for others, shown as they were reported."""

    key: str
    name: str
    value: float
    unit: str


def headline(metrics: dict[str, float]) -> Metric:
    """Choose the metric that stands for a run: the first of `HEADLINES` there is, else the first that was reported.

    Records keep what is not finite as 'nan', 'inf' or '-inf' (`record.write_json`).
    """
    for key, (name, factor) in HEADLINES.items():
        if key in metrics:
            return Metric(key, name, factor * float(metrics[key]), ' %')
    key = next(iter(metrics))
    return Metric(key, key, float(metrics[key]), '')
