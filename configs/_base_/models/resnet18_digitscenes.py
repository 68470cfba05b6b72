# ResNet-18 at a quarter of its width, classifying 48 x 48 pixels.
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='attn_plugins.Plugged',
        host='mmseg.ResNetV1c',  # the segmentor's, so that its backbone starts from all weights of this one
        depth=18,
        stem_channels=16,
        base_channels=16,
        out_indices=(3, )),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=10, in_channels=128, loss=dict(type='CrossEntropyLoss'), topk=(1, )))
