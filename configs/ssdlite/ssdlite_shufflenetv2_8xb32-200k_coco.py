# SSDLite320 on ShuffleNetV2-1.0x with its final convolution. Named in the article of Coordinate Attention, without a
# number in its README; schedule: that of the other backbones.
_base_ = [
    '../_base_/models/ssdlite_mobilenetv2.py',
    '../_base_/datasets/coco_ssdlite320.py', '../_base_/schedules/ssdlite_200k.py', '../_base_/runtime_mmdet_by_iteration.py'
]
model = dict(
    backbone=dict(_delete_=True, type='mmpretrain.ShuffleNetV2', out_indices=(1, 3)),
    neck=dict(in_channels=(232, 1024)),
    bbox_head=dict(in_channels=(232, 1024, 512, 256, 256, 64)))
