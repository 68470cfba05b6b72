# ResNeXt-101, 8x32, for 32 x 32 images.
_base_ = './resnet164_cifar.py'
model = dict(
    backbone=dict(depth=101, base_channels=32, groups=8, width_per_group=32), head=dict(in_channels=512))
