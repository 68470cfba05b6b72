# Network in Network at half the width of the wide one, without norms.
_base_ = './nin-thin_cifar.py'
model = dict(backbone=dict(norm_cfg=None))
