# MobileNeXt, plain. Published: 74.0 % top-1 on ImageNet-1k val, 3.5 M parameters, 300 M multiply-adds
# (github.com/houqb/CoordAttention, README, commit 7619bea), 200 epochs, 4 GPUs. Counted: 3,535,416.
_base_ = [
    '../_base_/attention/{{$ATTENTION:none}}.py', '../_base_/models/mobilenext.py',
    '../_base_/datasets/imagenet_224.py', '../_base_/schedules/imagenet_200e.py', '../_base_/runtime_mmpretrain.py'
]
model = dict(backbone=dict(plugins={{_base_.attention}}))
train_dataloader = dict(batch_size=64)
