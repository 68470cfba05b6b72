# ResNet-164 with k images of MNIST in every batch of CIFAR-100: the mixed-data attack of IEBN. k is not known here:
# train_dataloader.batch_sampler.foreign. Counted: 1,727,284.
_base_ = [
    '../_base_/attention/{{$ATTENTION:none}}.py', '../_base_/models/resnet164_cifar.py',
    '../_base_/datasets/cifar100_mixed.py', '../_base_/schedules/cifar_164e.py', '../_base_/runtime_mmpretrain.py'
]
model = dict(type='attn_plugins.MixedDataClassifier', backbone=dict(plugins={{_base_.attention}}), head=dict(num_classes=100))
