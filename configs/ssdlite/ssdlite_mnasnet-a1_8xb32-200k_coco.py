# SSDLite320 on MnasNet-A1, which has SE of its own (timm). Published: 23.0 AP on COCO val2017, 4.9 M parameters, a figure
# of the literature that its authors reprint (github.com/houqb/CoordAttention, README, commit 7619bea). Hardware: not
# published; schedule here: that of the other backbones. Counted: 3,362,048.
_base_ = [
    '../_base_/models/ssdlite_mobilenetv2.py',
    '../_base_/datasets/coco_ssdlite320.py', '../_base_/schedules/ssdlite_200k.py', '../_base_/runtime_mmdet_by_iteration.py'
]
model = dict(
    backbone=dict(_delete_=True, type='mmpretrain.TIMMBackbone', model_name='semnasnet_100', features_only=True, out_indices=(3, 4)),
    neck=dict(in_channels=(112, 320)),
    bbox_head=dict(in_channels=(112, 320, 512, 256, 256, 64)))
