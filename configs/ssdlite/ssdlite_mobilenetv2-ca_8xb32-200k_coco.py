# With Coordinate Attention, r=32. Published: 24.5 AP on COCO val2017, 4.8 M parameters (github.com/houqb/CoordAttention,
# README, commit 7619bea). Hardware: not published; schedule: batch 256, 200k steps, cosine. Counted: 4,749,914.
_base_ = [
    '../_base_/attention/ca.py', '../_base_/models/ssdlite_mobilenetv2.py',
    '../_base_/datasets/coco_ssdlite320.py', '../_base_/schedules/ssdlite_200k.py',
    '../_base_/runtime_mmdet_by_iteration.py'
]
model = dict(backbone=dict(plugins={{_base_.attention}}))
