# MobileNeXt classifying 1000 classes, dropout 0.2 (github.com/zhoudaquan/rethinking_bottleneck_design, commit 195ee73).
# Layers go after the first depthwise convolution, in every block that has one: the README of Coordinate Attention
# (github.com/houqb/CoordAttention, commit 7619bea) says that this place is the better one, and not in which blocks.
# The first blocks of five stages have no first depthwise convolution.
stages = (True, True, *[(False, True, True)] * 2, *[(False, True, True, True)] * 2, (False, True, True), True)
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='attn_plugins.Plugged',
        host='attn_plugins.MobileNeXt',
        place=dict(position='after_depthwise', stages=stages)),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='attn_plugins.DropoutClsHead',
        dropout=0.2,
        num_classes=1000,
        in_channels=1280,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
        topk=(1, 5)))
