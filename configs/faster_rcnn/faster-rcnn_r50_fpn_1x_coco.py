# Faster R-CNN with ResNet-50 and FPN, plain. Published: 37.4 AP on COCO val2017 (mmdet 3.3, faster-rcnn_r50_fpn_1x_coco),
# 8 GPUs, batch 16, 12 epochs: this schedule, from ImageNet weights. Counted: 41,753,056.
_base_ = [
    '../_base_/attention/{{$ATTENTION:none}}.py', '../_base_/models/faster_rcnn_r50_fpn.py',
    '../_base_/datasets/coco_detection_1333x800.py', '../_base_/schedules/det_1x.py', '../_base_/runtime_mmdet.py'
]
model = dict(backbone=dict(plugins={{_base_.attention}}))
