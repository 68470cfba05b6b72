# ResNet-20 for 32 x 32 images at half its width, classifying ten classes.
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='attn_plugins.Plugged',
        host='attn_plugins.CifarResNet',
        depth=20,
        widen_factor=0.5,
        norm_cfg=dict(type='BN'),
        place=dict(position='after_conv2')),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=10, in_channels=32, loss=dict(type='CrossEntropyLoss'), topk=(1, )))
