# With Coordinate Attention, r=32. Published: 73.1 mAP on VOC 2007 test, 4.8 M parameters
# (github.com/houqb/CoordAttention, README, commit 7619bea). Hardware: not published; schedule: 240k steps of batch 24,
# which the authors' code makes 60k of batch 96 on 4 GPUs. Counted: 3,871,764.
_base_ = [
    '../_base_/attention/ca.py', '../_base_/models/ssdlite_mobilenetv2_voc.py',
    '../_base_/datasets/voc0712_ssdlite320.py', '../_base_/schedules/ssdlite_60k.py',
    '../_base_/runtime_mmdet_by_iteration.py'
]
model = dict(backbone=dict(plugins={{_base_.attention}}))
