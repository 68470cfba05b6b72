# Wide ResNet 16-1 learns from 16-2 by attention transfer. Published: 92.07 % top-1 on CIFAR-10 test, 7.93 % error, the
# median of 5 seeds (AT, arXiv:1612.03928, table 1; github.com/szagoruyko/attention-transfer, commit 893df54), hardware
# not published, batch 128, 200 epochs: this schedule. Counted: 175,066.
_base_ = [
    '../_base_/transfer/{{$ATTENTION:at}}.py', '../_base_/models/wrn_cifar.py',
    '../_base_/datasets/cifar10_reflect.py', '../_base_/schedules/cifar_200e_at.py',
    '../_base_/runtime_mmpretrain.py'
]
model = dict(
    _delete_=True, type='attn_plugins.Distiller', student={{_base_.model}}, losses={{_base_.losses}},
    pairs=['backbone.layer1', 'backbone.layer2', 'backbone.layer3'], logits='head.fc',
    teacher=dict(
        config='configs/wideresnet/wrn16-2_1xb128-200e_cifar10.py',
        init_cfg=dict(type='Pretrained', checkpoint='work_dirs/wrn16-2_1xb128-200e_cifar10/epoch_200.pth')))
custom_hooks = [dict(type='attn_plugins.DistillationHook')]
