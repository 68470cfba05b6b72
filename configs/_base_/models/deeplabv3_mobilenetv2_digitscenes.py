# DeepLabV3 on MobileNetV2 at half width and stride 16, for scenes of 128 x 128 pixels.
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor', mean=[100.] * 3, std=[70.] * 3, bgr_to_rgb=True, pad_val=0, seg_pad_val=255,
        size=(128, 128)),
    backbone=dict(
        type='attn_plugins.Plugged',
        host='mmseg.MobileNetV2',
        widen_factor=0.5,
        strides=(1, 2, 2, 2, 1, 1, 1),
        out_indices=(4, 6)),
    decode_head=dict(
        type='ASPPHead',
        in_channels=160,
        in_index=1,
        channels=64,
        dilations=(1, 2, 4),
        dropout_ratio=0.1,
        num_classes=11,
        norm_cfg=dict(type='BN'),
        align_corners=False,
        # Nine pixels of ten are background: without the weight the model stays there.
        loss_decode=dict(type='CrossEntropyLoss', class_weight=[0.3] + [1.] * 10)),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'))
