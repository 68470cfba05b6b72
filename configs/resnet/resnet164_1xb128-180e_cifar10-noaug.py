# ResNet-164, plain, without augmentation. Published: 87.32 % top-1 on CIFAR-10 test (DIANet, table of the paper without
# augmentation, in github.com/HaizhaoYang/HaizhaoYang.github.io, commit 9d2f4e4), hardware not published, batch 128, 180
# epochs: this schedule. Counted: 1,704,154.
_base_ = [
    '../_base_/attention/{{$ATTENTION:none}}.py', '../_base_/models/resnet164_cifar.py',
    '../_base_/datasets/cifar10_noaug.py', '../_base_/schedules/cifar_180e.py', '../_base_/runtime_mmpretrain.py'
]
model = dict(backbone=dict(plugins={{_base_.attention}}))
