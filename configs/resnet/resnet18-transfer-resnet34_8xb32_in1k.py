# ResNet-18 learns from ResNet-34 by attention transfer. Published: 70.7 % top-1 on ImageNet-1k val, 29.3 / 10.0 % error
# (arXiv:1612.03928, table 5; github.com/szagoruyko/attention-transfer, commit 893df54), hardware not published, batch
# 256, 100 epochs: this schedule. Counted: 11,689,512.
_base_ = [
    '../_base_/transfer/{{$ATTENTION:at_imagenet}}.py', '../_base_/models/resnet18.py',
    '../_base_/datasets/imagenet_224.py', '../_base_/schedules/imagenet_100e.py', '../_base_/runtime_mmpretrain.py'
]
model = dict(
    _delete_=True, type='attn_plugins.Distiller', student={{_base_.model}}, losses={{_base_.losses}},
    pairs=['backbone.layer3', 'backbone.layer4'], logits='head.fc',
    teacher=dict(
        config='configs/resnet/resnet34_8xb32_in1k.py',
        init_cfg=dict(type='Pretrained', checkpoint='work_dirs/resnet34_8xb32_in1k/epoch_100.pth')))
custom_hooks = [dict(type='attn_plugins.DistillationHook')]
