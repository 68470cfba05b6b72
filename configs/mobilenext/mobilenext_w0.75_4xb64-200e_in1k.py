# MobileNeXt at width 0.75, plain. Published: 72.0 % top-1 on ImageNet-1k val, 2.5 M parameters, 210 M multiply-adds
# (github.com/zhoudaquan/rethinking_bottleneck_design, README, commit 195ee73; hardware and schedule: theirs, not this
# one). Counted: 2,766,168.
_base_ = [
    '../_base_/attention/{{$ATTENTION:none}}.py', '../_base_/models/mobilenext.py',
    '../_base_/datasets/imagenet_224.py', '../_base_/schedules/imagenet_200e.py', '../_base_/runtime_mmpretrain.py'
]
model = dict(backbone=dict(widen_factor=0.75, plugins={{_base_.attention}}))
train_dataloader = dict(batch_size=64)
