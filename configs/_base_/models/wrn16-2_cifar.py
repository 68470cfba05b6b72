# Wide ResNet 16-2 as attention transfer trains it.
_base_ = './wrn_cifar.py'
model = dict(backbone=dict(widen_factor=2), head=dict(in_channels=128))
