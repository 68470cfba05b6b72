# CIFAR-10 as attention transfer reads it: padded by 4 with the image's reflection, and means and deviations of its own.
_base_ = './cifar10.py'
data_preprocessor = dict(mean=[125.3, 123.0, 113.9], std=[63.0, 62.1, 66.7])
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            # RandomCrop pads by its `padding` with zeros whatever padding_mode says, but up to a size as it is told.
            dict(type='RandomCrop', crop_size=40, pad_if_needed=True, padding_mode='reflect'),
            dict(type='RandomCrop', crop_size=32),
            dict(type='RandomFlip', prob=0.5, direction='horizontal'),
            dict(type='PackInputs')
        ]))
