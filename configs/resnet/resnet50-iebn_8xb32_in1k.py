# ResNet-50 with IEBN in place of the main path's BN, on ImageNet: no number is published, or none that can be read
# here. The schedule of resnet50_8xb32_in1k.py, so that the two compare. Counted: 25,602,472.
_base_ = [
    '../_base_/attention/iebn.py', '../_base_/models/resnet50.py',
    '../_base_/datasets/imagenet_224.py', '../_base_/schedules/imagenet_100e.py', '../_base_/runtime_mmpretrain.py'
]
model = dict(backbone=dict(plugins={{_base_.attention}}))
