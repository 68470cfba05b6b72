# Wide ResNet 40-2, plain. Published: 94.77 % top-1 on CIFAR-10 test, 5.23 % error, the median of 5 seeds (teacher of 16-2
# in attention transfer, arXiv:1612.03928, table 1, and github.com/szagoruyko/attention-transfer, commit 893df54),
# hardware not published, batch 128, 200 epochs: this schedule. Counted: 2,243,546.
_base_ = [
    '../_base_/attention/{{$ATTENTION:none}}.py', '../_base_/models/wrn_cifar.py',
    '../_base_/datasets/cifar10_reflect.py', '../_base_/schedules/cifar_200e_at.py', '../_base_/runtime_mmpretrain.py'
]
model = dict(backbone=dict(depth=40, widen_factor=2, plugins={{_base_.attention}}), head=dict(in_channels=128))
