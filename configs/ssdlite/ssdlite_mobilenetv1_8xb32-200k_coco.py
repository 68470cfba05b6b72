# SSDLite320 on MobileNetV1 (timm). Published: 22.2 AP on COCO val2017, 5.1 M parameters, a figure of the literature that
# its authors reprint (github.com/houqb/CoordAttention, README, commit 7619bea). Hardware: not published; schedule here:
# that of the other backbones. Counted: 5,228,147.
_base_ = [
    '../_base_/models/ssdlite_mobilenetv2.py',
    '../_base_/datasets/coco_ssdlite320.py', '../_base_/schedules/ssdlite_200k.py', '../_base_/runtime_mmdet_by_iteration.py'
]
model = dict(
    backbone=dict(_delete_=True, type='mmpretrain.TIMMBackbone', model_name='mobilenetv1_100', features_only=True, out_indices=(3, 4)),
    neck=dict(in_channels=(512, 1024)),
    bbox_head=dict(in_channels=(512, 1024, 512, 256, 256, 64)))
