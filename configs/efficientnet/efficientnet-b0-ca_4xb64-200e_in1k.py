# EfficientNet-B0 with Coordinate Attention, r=32, in the place of its SE, trained as the others of Coordinate Attention's
# comparison.
_base_ = [
    '../_base_/attention/ca.py', '../_base_/models/efficientnet_b0.py',
    '../_base_/datasets/imagenet_224.py', '../_base_/schedules/imagenet_200e.py', '../_base_/runtime_mmpretrain.py'
]
model = dict(backbone=dict(plugins={{_base_.attention}}))
train_dataloader = dict(batch_size=64)
