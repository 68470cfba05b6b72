# Network in Network, wide, plain. Published: 92.72 % top-1 on CIFAR-10 test, 7.28 % error, the median of 5 seeds, 1 M
# parameters (teacher in attention transfer, arXiv:1612.03928, table 1; no code for it in
# github.com/szagoruyko/attention-transfer, commit 893df54), hardware not published, batch 128, 200 epochs: its wide
# ResNets' schedule. Counted: 968,394.
_base_ = [
    '../_base_/attention/{{$ATTENTION:none}}.py', '../_base_/models/nin_cifar.py',
    '../_base_/datasets/cifar10_reflect.py', '../_base_/schedules/cifar_200e_at.py', '../_base_/runtime_mmpretrain.py'
]
model = dict(backbone=dict(plugins={{_base_.attention}}))
