# ResNet-50, plain. Published: 76.55 % top-1 on ImageNet-1k val, 25.56 M parameters (mmpretrain 1.2, resnet50_8xb32_in1k),
# 8 GPUs, batch 256, 100 epochs: this schedule. Counted: 25,557,032.
_base_ = [
    '../_base_/attention/{{$ATTENTION:none}}.py', '../_base_/models/resnet50.py',
    '../_base_/datasets/imagenet_224.py', '../_base_/schedules/imagenet_100e.py', '../_base_/runtime_mmpretrain.py'
]
model = dict(backbone=dict(plugins={{_base_.attention}}))
