# The crops of digitscenes_classification.py at 32 x 32 pixels, the size of CIFAR, in batches of 16, whose statistics are noisy.
_base_ = './digitscenes_classification.py'
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(36, 36)),
    dict(type='RandomCrop', crop_size=32),
    dict(type='PackInputs')
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(36, 36)),
    dict(type='CenterCrop', crop_size=32),
    dict(type='PackInputs')
]
train_dataloader = dict(batch_size=16, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
