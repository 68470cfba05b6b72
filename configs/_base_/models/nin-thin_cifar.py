# Network in Network at half the width of the wide one.
_base_ = './nin_cifar.py'
model = dict(backbone=dict(widen_factor=0.5), head=dict(in_channels=96))
