# ResNet-164 for 32 x 32 images, three stages of 18 bottlenecks; the linear layer starts as torch's, as the authors' does.
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='attn_plugins.Plugged',
        host='attn_plugins.CifarResNet',
        depth=164,
        block='bottleneck',
        norm_cfg=dict(type='BN'),
        place=dict(position='after_conv3')),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        num_classes=10,
        in_channels=256,
        loss=dict(type='CrossEntropyLoss'),
        topk=(1, 5),
        init_cfg=None))
