# PreResNet-164, plain. Published: 76.53 % top-1 on CIFAR-100 test, 1.73 M parameters (DIANet, table 2 of the paper in
# github.com/HaizhaoYang/HaizhaoYang.github.io, commit 9d2f4e4), hardware not published, batch 128, 164 epochs: this
# schedule. Counted: 1,726,388.
_base_ = [
    '../_base_/attention/{{$ATTENTION:none}}.py', '../_base_/models/preresnet164_cifar.py',
    '../_base_/datasets/cifar100.py', '../_base_/schedules/cifar_164e.py', '../_base_/runtime_mmpretrain.py'
]
model = dict(backbone=dict(plugins={{_base_.attention}}), head=dict(num_classes=100))
