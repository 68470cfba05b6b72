# ResNet-18, plain. Published: 69.6 % top-1 on ImageNet-1k val, 30.4 / 10.8 % error top-1 / top-5 (student in attention
# transfer, arXiv:1612.03928, table 5, and github.com/szagoruyko/attention-transfer, commit 893df54), hardware not
# published, batch 256, 100 epochs: this schedule. Counted: 11,689,512.
_base_ = [
    '../_base_/attention/{{$ATTENTION:none}}.py', '../_base_/models/resnet18.py',
    '../_base_/datasets/imagenet_224.py', '../_base_/schedules/imagenet_100e.py', '../_base_/runtime_mmpretrain.py'
]
model = dict(backbone=dict(plugins={{_base_.attention}}))
