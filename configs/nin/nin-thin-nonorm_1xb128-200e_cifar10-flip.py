# Network in Network, thin, without norms, plain. Published: 86.5 % top-1 on CIFAR-10 test, 13.5 % error, one run,
# mirrored images only, no weight decay (student of the gradients in attention transfer, arXiv:1612.03928, table 3; no
# code for it in github.com/szagoruyko/attention-transfer, commit 893df54), hardware and schedule not published: that of
# table 1. Counted: 246,186.
_base_ = [
    '../_base_/attention/{{$ATTENTION:none}}.py', '../_base_/models/nin_cifar.py',
    '../_base_/datasets/cifar10_flip.py', '../_base_/schedules/cifar_200e_at.py', '../_base_/runtime_mmpretrain.py'
]
model = dict(
    backbone=dict(widen_factor=0.5, norm_cfg=None, plugins={{_base_.attention}}), head=dict(in_channels=96))
optim_wrapper = dict(optimizer=dict(weight_decay=0))
