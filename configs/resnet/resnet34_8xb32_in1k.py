# ResNet-34, plain. Published: 73.9 % top-1 on ImageNet-1k val, 26.1 / 8.3 % error top-1 / top-5 (teacher in attention
# transfer, arXiv:1612.03928, table 5, and github.com/szagoruyko/attention-transfer, commit 893df54), hardware not
# published, batch 256, 100 epochs: this schedule. Counted: 21,797,672.
_base_ = [
    '../_base_/attention/{{$ATTENTION:none}}.py', '../_base_/models/resnet18.py',
    '../_base_/datasets/imagenet_224.py', '../_base_/schedules/imagenet_100e.py', '../_base_/runtime_mmpretrain.py'
]
model = dict(backbone=dict(depth=34, plugins={{_base_.attention}}))
