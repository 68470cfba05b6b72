# With CBAM, r=24. Output stride 8. Published: 71.4 mIoU on Cityscapes val, 4.9 M parameters
# (github.com/houqb/CoordAttention, README, commit 7619bea). Hardware and schedule: not published; mmseg's 80k steps of
# batch 8 are used. Counted: 4,907,963.
_base_ = [
    '../_base_/attention/cbam.py', '../_base_/models/deeplabv3_mobilenetv2.py',
    '../_base_/datasets/cityscapes_512x1024.py', '../_base_/schedules/seg_80k_light.py',
    '../_base_/runtime_mmseg_by_iteration.py'
]
model = dict(backbone=dict(plugins={{_base_.attention}}))
