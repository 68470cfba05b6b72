# ResNet-164, plain. Published: 74.29 % top-1 on CIFAR-100 test (github.com/gbup-group/IEBN, README, commit ed6d563), 2
# GPUs, batch 128, 164 epochs: this schedule. Counted: 1,727,284.
_base_ = [
    '../_base_/attention/{{$ATTENTION:none}}.py', '../_base_/models/resnet164_cifar.py',
    '../_base_/datasets/cifar100.py', '../_base_/schedules/cifar_164e.py', '../_base_/runtime_mmpretrain.py'
]
model = dict(backbone=dict(plugins={{_base_.attention}}), head=dict(num_classes=100))
