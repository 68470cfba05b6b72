# Network in Network, thin, without norms, learns the gradient of the wide one. Published: 87.9 % top-1 on CIFAR-10
# test, 12.1 % error, one run (arXiv:1612.03928, table 3; no code for it in github.com/szagoruyko/attention-transfer,
# commit 893df54), hardware, schedule, and the weight of the loss not published. Counted: 246,186.
_base_ = [
    '../_base_/transfer/{{$ATTENTION:at_gradient}}.py', '../_base_/models/nin-thin-nonorm_cifar.py',
    '../_base_/datasets/cifar10_flip.py', '../_base_/schedules/cifar_200e_at.py', '../_base_/runtime_mmpretrain.py'
]
model = dict(
    _delete_=True, type='attn_plugins.Distiller', student={{_base_.model}}, losses={{_base_.losses}},
    pairs=['backbone.layer1', 'backbone.layer2', 'backbone.layer3'], logits='head.fc',
    teacher=dict(
        config='configs/nin/nin-wide_1xb128-200e_cifar10.py',
        init_cfg=dict(type='Pretrained', checkpoint='work_dirs/nin-wide_1xb128-200e_cifar10/epoch_200.pth')))
custom_hooks = [dict(type='attn_plugins.DistillationHook')]
optim_wrapper = dict(optimizer=dict(weight_decay=0))
