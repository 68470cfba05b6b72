# Network in Network, thin, learns from the wide one by attention transfer. Published: 91.07 % top-1 on CIFAR-10 test,
# 8.93 % error, the median of 5 seeds (AT, arXiv:1612.03928, table 1; github.com/szagoruyko/attention-transfer, commit
# 893df54), hardware not published, batch 128, 200 epochs: this schedule. Counted: 246,890.
_base_ = [
    '../_base_/transfer/{{$ATTENTION:at}}.py', '../_base_/models/nin-thin_cifar.py',
    '../_base_/datasets/cifar10_reflect.py', '../_base_/schedules/cifar_200e_at.py',
    '../_base_/runtime_mmpretrain.py'
]
model = dict(
    _delete_=True, type='attn_plugins.Distiller', student={{_base_.model}}, losses={{_base_.losses}},
    pairs=['backbone.layer1', 'backbone.layer2', 'backbone.layer3'], logits='head.fc',
    teacher=dict(
        config='configs/nin/nin-wide_1xb128-200e_cifar10.py',
        init_cfg=dict(type='Pretrained', checkpoint='work_dirs/nin-wide_1xb128-200e_cifar10/epoch_200.pth')))
custom_hooks = [dict(type='attn_plugins.DistillationHook')]
