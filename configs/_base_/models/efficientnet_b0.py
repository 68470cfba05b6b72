# EfficientNet-B0 classifying 1000 classes, dropout 0.2 (Tan and Le, ICML 2019). Its own SE is part of it: layers take the
# place of that SE, so `none` is EfficientNet-B0 as published.
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='attn_plugins.Plugged',
        host='mmpretrain.EfficientNet',
        arch='b0',
        place=dict(replace='**.se')),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='attn_plugins.DropoutClsHead',
        dropout=0.2,
        num_classes=1000,
        in_channels=1280,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
        topk=(1, 5)))
