# With SE, r=24. Published: 73.5 % top-1 on ImageNet-1k val, 3.89 M parameters, 300 M multiply-adds
# (github.com/houqb/CoordAttention, README, commit 7619bea), 200 epochs, 4 GPUs. Counted: 3,888,208.
_base_ = [
    '../_base_/attention/se.py', '../_base_/models/mobilenetv2.py',
    '../_base_/datasets/imagenet_224.py', '../_base_/schedules/imagenet_200e.py', '../_base_/runtime_mmpretrain.py'
]
model = dict(backbone=dict(plugins={{_base_.attention}}))
train_dataloader = dict(batch_size=64)
