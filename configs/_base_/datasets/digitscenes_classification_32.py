# DigitScenes' class folders at the size of CIFAR: crops of 32 of 36 pixels.
dataset_type = 'CustomDataset'
data_root = 'data/digit_scenes/classes/'
data_preprocessor = dict(num_classes=10, mean=[100.] * 3, std=[70.] * 3, to_rgb=True)
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
train_dataloader = dict(
    batch_size=32,
    num_workers=0,
    persistent_workers=False,  # mmpretrain's own tools ask for it otherwise, and torch refuses it without workers
    dataset=dict(type=dataset_type, data_root=data_root, data_prefix='train', pipeline=train_pipeline),
    sampler=dict(type='DefaultSampler', shuffle=True))
val_dataloader = dict(
    batch_size=100,
    num_workers=0,
    persistent_workers=False,  # mmpretrain's own tools ask for it otherwise, and torch refuses it without workers
    dataset=dict(type=dataset_type, data_root=data_root, data_prefix='val', pipeline=test_pipeline),
    sampler=dict(type='DefaultSampler', shuffle=False))
test_dataloader = val_dataloader
val_evaluator = dict(type='Accuracy', topk=(1, ))
test_evaluator = val_evaluator
