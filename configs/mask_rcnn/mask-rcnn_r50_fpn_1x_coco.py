# Mask R-CNN with ResNet-50 and FPN, plain, as mmdet's mask-rcnn_r50_fpn_1x_coco: 8 GPUs, batch 16, 12 epochs, from ImageNet
# weights. Counted: 44,396,336.
_base_ = [
    '../_base_/attention/{{$ATTENTION:none}}.py', '../_base_/models/mask_rcnn_r50_fpn.py',
    '../_base_/datasets/coco_instance_1333x800.py', '../_base_/schedules/det_1x.py', '../_base_/runtime_mmdet.py'
]
model = dict(backbone=dict(plugins={{_base_.attention}}))
