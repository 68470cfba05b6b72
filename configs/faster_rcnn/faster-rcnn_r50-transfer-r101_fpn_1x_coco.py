# Faster R-CNN with ResNet-50 learns from one with ResNet-101, level by level of the FPN. Not published. The teacher, by
# --cfg-options model.teacher.init_cfg.checkpoint=CHECKPOINT, is this config with depth 101, or mmdet's
# faster-rcnn_r101_fpn_1x_coco.
_base_ = [
    '../_base_/transfer/{{$ATTENTION:at}}.py', '../_base_/models/faster_rcnn_r50_fpn.py',
    '../_base_/datasets/coco_detection_1333x800.py', '../_base_/schedules/det_1x.py', '../_base_/runtime_mmdet.py'
]
model = dict(
    _delete_=True, type='attn_plugins.Distiller', student={{_base_.model}}, losses={{_base_.losses}},
    pairs=['neck'],
    teacher=dict(
        config='configs/faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py', backbone=dict(depth=101),
        init_cfg=dict(type='Pretrained', checkpoint='work_dirs/faster-rcnn_r101_fpn_1x_coco/epoch_12.pth')))
custom_hooks = [dict(type='attn_plugins.DistillationHook')]
