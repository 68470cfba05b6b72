# ResNet-164, plain. Published: 93.39 % top-1 on CIFAR-10 test (github.com/Qrange-group/SEM, README, commit db5e194),
# hardware not published, batch 128, 164 epochs: this schedule. Counted: 1,704,154.
_base_ = [
    '../_base_/attention/{{$ATTENTION:none}}.py', '../_base_/models/resnet164_cifar.py',
    '../_base_/datasets/cifar10.py', '../_base_/schedules/cifar_164e.py', '../_base_/runtime_mmpretrain.py'
]
model = dict(backbone=dict(plugins={{_base_.attention}}))
