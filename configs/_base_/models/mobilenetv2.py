# MobileNetV2 classifying 1000 classes, dropout 0.1 as the authors of Coordinate Attention have it (github.com/houqb/
# CoordAttention, commit 7619bea, mbv2_ca.py). Layers go after the depthwise convolution of every block that expands.
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='attn_plugins.Plugged',
        host='mmpretrain.MobileNetV2',
        place=dict(position='after_depthwise', stages=(False, ) + (True, ) * 6)),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='attn_plugins.DropoutClsHead',
        dropout=0.1,
        num_classes=1000,
        in_channels=1280,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
        topk=(1, 5)))
