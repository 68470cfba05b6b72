# SSDLite320 on MixNet-M (timm). Named in the article of Coordinate Attention, without a number in its README; schedule:
# that of the other backbones.
_base_ = [
    '../_base_/models/ssdlite_mobilenetv2.py',
    '../_base_/datasets/coco_ssdlite320.py', '../_base_/schedules/ssdlite_200k.py', '../_base_/runtime_mmdet_by_iteration.py'
]
model = dict(
    backbone=dict(_delete_=True, type='mmpretrain.TIMMBackbone', model_name='mixnet_m', features_only=True, out_indices=(3, 4)),
    neck=dict(in_channels=(120, 200)),
    bbox_head=dict(in_channels=(120, 200, 512, 256, 256, 64)))
