# SSDLite320 on HBONet-1.0, our host. Named in the article of Coordinate Attention, without a number in its README;
# schedule: that of the other backbones.
_base_ = [
    '../_base_/models/ssdlite_mobilenetv2.py',
    '../_base_/datasets/coco_ssdlite320.py', '../_base_/schedules/ssdlite_200k.py', '../_base_/runtime_mmdet_by_iteration.py'
]
model = dict(
    backbone=dict(_delete_=True, type='attn_plugins.HBONet', out_indices=(5, 8)),
    neck=dict(in_channels=(144, 1600)),
    bbox_head=dict(in_channels=(144, 1600, 512, 256, 256, 64)))
