# CIFAR-100 without augmentation, otherwise as cifar100.py.
_base_ = './cifar100.py'
train_dataloader = dict(dataset=dict(pipeline=[dict(type='PackInputs')]))
