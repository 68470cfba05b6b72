# ResNet-164 with SEM, r=16. Published: 76.76 % top-1 on CIFAR-100 test (github.com/Qrange-group/SEM, README, commit
# db5e194), hardware not published, batch 128, 164 epochs: this schedule. Counted: 1,970,104.
_base_ = [
    '../_base_/attention/sem.py', '../_base_/models/resnet164_cifar.py',
    '../_base_/datasets/cifar100.py', '../_base_/schedules/cifar_164e.py', '../_base_/runtime_mmpretrain.py'
]
model = dict(backbone=dict(plugins={{_base_.attention}}), head=dict(num_classes=100))
