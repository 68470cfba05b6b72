# As runtime_mmdet.py, for schedules that count steps: logs and checkpoints do too.
_base_ = './runtime_mmdet.py'
default_hooks = dict(logger=dict(log_metric_by_epoch=False), checkpoint=dict(by_epoch=False, interval=10000))
log_processor = dict(by_epoch=False)
