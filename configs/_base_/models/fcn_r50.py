# FCN on ResNet-50 (v1c) at output stride 8, as mmseg's: backbone and auxiliary head of deeplabv3_r50.py, two 3x3 convolutions in
# the head. mmseg's CCHead and NLHead are this head with attention between the two and take the same options.
_base_ = './deeplabv3_r50.py'
model = dict(
    decode_head=dict(
        _delete_=True,
        type='FCNHead',
        in_channels=2048,
        in_index=3,
        channels=512,
        dropout_ratio=0.1,
        num_classes=19,
        norm_cfg=dict(type='BN', requires_grad=True),
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0)))
