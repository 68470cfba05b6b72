# DeepLabV3-MobileNetV2, stride 8, plain. Published: 71.4 mIoU on Cityscapes val, 4.5 M parameters
# (github.com/houqb/CoordAttention, README, commit 7619bea). Hardware and schedule: not published; mmseg's 80k steps
# of batch 8 are used. Counted: 4,523,027.
_base_ = [
    '../_base_/attention/{{$ATTENTION:none}}.py', '../_base_/models/deeplabv3_mobilenetv2.py',
    '../_base_/datasets/cityscapes_512x1024.py', '../_base_/schedules/seg_80k.py', '../_base_/runtime_mmseg.py'
]
model = dict(
    backbone=dict(
        plugins={{_base_.attention}}, place=dict(position='after_depthwise', stages=(False, ) + (True, ) * 6)))
default_hooks = dict(
    logger=dict(log_metric_by_epoch=False), checkpoint=dict(by_epoch=False, interval=8000, max_keep_ckpts=2))
log_processor = dict(by_epoch=False)
