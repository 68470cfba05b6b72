# CIFAR-10, mirrored only, as attention transfer's comparison of gradients reads it (table 3); otherwise as cifar10_reflect.py.
_base_ = './cifar10_reflect.py'
train_dataloader = dict(
    dataset=dict(
        pipeline=[dict(type='RandomFlip', prob=0.5, direction='horizontal'),
                  dict(type='PackInputs')]))
