# ResNet-164 under constant noise in all its batch norms, in training: norm_cfg.na and nb are the constants, at_train and
# at_test say when. The paper's constants are not known here; presets iebn and se stand under the same attack.
_base_ = [
    '../_base_/attention/{{$ATTENTION:none}}.py', '../_base_/models/resnet164_cifar.py',
    '../_base_/datasets/cifar100.py', '../_base_/schedules/cifar_164e.py', '../_base_/runtime_mmpretrain.py'
]
model = dict(
    backbone=dict(
        plugins={{_base_.attention}}, norm_cfg=dict(type='attn_plugins.NoisyBN', na=0.8, nb=0.8)),
    head=dict(num_classes=100))
