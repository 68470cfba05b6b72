# SSDLite320 on MobileNetV3-Large. Published: 22.0 AP on COCO val2017, 5.0 M parameters, a figure of the literature that
# its authors reprint (github.com/houqb/CoordAttention, README, commit 7619bea), in a row called MobileNetV2, probably
# this one. Hardware: not published; schedule here: that of the other backbones. Counted: 4,712,922.
_base_ = [
    '../_base_/models/ssdlite_mobilenetv2.py',
    '../_base_/datasets/coco_ssdlite320.py', '../_base_/schedules/ssdlite_200k.py', '../_base_/runtime_mmdet_by_iteration.py'
]
model = dict(
    backbone=dict(_delete_=True, type='mmpretrain.MobileNetV3', arch='large', out_indices=(12, 16)),
    neck=dict(in_channels=(112, 960)),
    bbox_head=dict(in_channels=(112, 960, 512, 256, 256, 64)))
