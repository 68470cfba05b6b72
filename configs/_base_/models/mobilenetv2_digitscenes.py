# MobileNetV2 at half width, classifying 48 x 48 pixels.
model = dict(
    type='ImageClassifier',
    backbone=dict(type='attn_plugins.Plugged', host='mmpretrain.MobileNetV2', widen_factor=0.5),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead', num_classes=10, in_channels=1280, loss=dict(type='CrossEntropyLoss'), topk=(1, )))
