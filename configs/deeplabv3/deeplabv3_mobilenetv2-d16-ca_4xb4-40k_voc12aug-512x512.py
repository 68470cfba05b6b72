# With Coordinate Attention, r=32. Output stride 16. Published: 73.32 mIoU on VOC 2012 val, 5.0 M parameters
# (github.com/houqb/CoordAttention, README, commit 7619bea). Hardware and schedule: not published; mmseg's 40k steps of
# batch 16 are used. Counted: 4,969,317.
_base_ = [
    '../_base_/attention/ca.py', '../_base_/models/deeplabv3_mobilenetv2_d16_voc.py',
    '../_base_/datasets/voc12aug_512x512.py', '../_base_/schedules/seg_40k_light.py',
    '../_base_/runtime_mmseg_by_iteration.py'
]
model = dict(backbone=dict(plugins={{_base_.attention}}))
