# CIFAR-10 without augmentation, otherwise as cifar10.py.
_base_ = './cifar10.py'
train_dataloader = dict(dataset=dict(pipeline=[dict(type='PackInputs')]))
