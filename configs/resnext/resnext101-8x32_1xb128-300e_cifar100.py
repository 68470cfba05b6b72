# ResNeXt-101, 8x32, plain. Published: 81.18 % top-1 on CIFAR-100 test, 32.14 M parameters (DIANet, table 2 of the paper
# in github.com/HaizhaoYang/HaizhaoYang.github.io, commit 9d2f4e4), hardware not published, batch 128, 300 epochs: this
# schedule. Counted: 32,138,244.
_base_ = [
    '../_base_/attention/{{$ATTENTION:none}}.py', '../_base_/models/resnext101-8x32_cifar.py',
    '../_base_/datasets/cifar100.py', '../_base_/schedules/cifar_300e.py', '../_base_/runtime_mmpretrain.py'
]
model = dict(backbone=dict(plugins={{_base_.attention}}), head=dict(num_classes=100))
