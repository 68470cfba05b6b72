# ResNet-8 whose stem halves the image, classifying crops of 32 x 32 pixels. The demo's models average the statistics of
# batch norm over about 30 batches: with the usual 10, scores of 160 scenes moved by a point between nearly equal weights.
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='attn_plugins.Plugged',
        host='attn_plugins.CifarResNet',
        depth=8,
        stem_stride=2,
        norm_cfg=dict(type='BN', momentum=0.03),
        place=dict(position='after_conv2')),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=10, in_channels=64, loss=dict(type='CrossEntropyLoss'), topk=(1, )))
