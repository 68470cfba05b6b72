# Network in Network, thin, plain. Published: 90.62 % top-1 on CIFAR-10 test, 9.38 % error, the median of 5 seeds, 0.2 M
# parameters (student in attention transfer, arXiv:1612.03928, table 1; no code for it in
# github.com/szagoruyko/attention-transfer, commit 893df54), hardware not published, batch 128, 200 epochs: its wide
# ResNets' schedule. Counted: 246,890.
_base_ = [
    '../_base_/attention/{{$ATTENTION:none}}.py', '../_base_/models/nin_cifar.py',
    '../_base_/datasets/cifar10_reflect.py', '../_base_/schedules/cifar_200e_at.py', '../_base_/runtime_mmpretrain.py'
]
model = dict(backbone=dict(widen_factor=0.5, plugins={{_base_.attention}}), head=dict(in_channels=96))
