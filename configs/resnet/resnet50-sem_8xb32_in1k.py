# ResNet-50 with SEM, r=16, on ImageNet: no number is published, or none that can be read here. The schedule of
# resnet50_8xb32_in1k.py, so that the two compare. Counted: 28,163,678.
_base_ = [
    '../_base_/attention/sem.py', '../_base_/models/resnet50.py',
    '../_base_/datasets/imagenet_224.py', '../_base_/schedules/imagenet_100e.py', '../_base_/runtime_mmpretrain.py'
]
model = dict(backbone=dict(plugins={{_base_.attention}}))
