# Wide ResNet 52-4, plain. Published: 79.75 % top-1 on CIFAR-100 test, 12.07 M parameters (DIANet, table 2 of the paper
# in github.com/HaizhaoYang/HaizhaoYang.github.io, commit 9d2f4e4), hardware not published, batch 128, 200 epochs: this
# schedule. Counted: 12,072,500.
_base_ = [
    '../_base_/attention/{{$ATTENTION:none}}.py', '../_base_/models/wrn52-4_cifar.py',
    '../_base_/datasets/cifar100.py', '../_base_/schedules/cifar_200e.py', '../_base_/runtime_mmpretrain.py'
]
model = dict(backbone=dict(plugins={{_base_.attention}}), head=dict(num_classes=100))
