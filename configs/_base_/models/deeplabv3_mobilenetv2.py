# DeepLabV3 on MobileNetV2 at output stride 8, rates 12, 24, 36, 256 channels, no auxiliary head.
# Two statements about the Coordinate Attention experiments contradict each other: separable convolutions in the ASPP
# would leave 2.6 M parameters, the README (https://github.com/houqb/CoordAttention, commit 7619bea) prints 4.5 M.
# Full 3x3 convolutions on the 320 channels and a 1x1 fusion give 4.5 M, so these are used here.
# ImageNet weights with the same attention layer are loaded by
# --cfg-options model.backbone.init_cfg.type=Pretrained model.backbone.init_cfg.prefix=backbone. \
#   model.backbone.init_cfg.checkpoint=CHECKPOINT
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_val=0,
        seg_pad_val=255,
        size=(512, 1024)),
    backbone=dict(
        type='attn_plugins.Plugged',
        host='mmseg.MobileNetV2',
        place=dict(position='after_depthwise', stages=(False, ) + (True, ) * 6),
        strides=(1, 2, 2, 1, 1, 1, 1),
        dilations=(1, 1, 1, 2, 2, 4, 4),
        out_indices=(4, 6),  # one index alone comes back as a bare tensor, whose [0] is an image
        init_cfg=[
            dict(type='Kaiming', layer='Conv2d'),
            dict(type='Constant', val=1, layer=['_BatchNorm', 'GroupNorm'])
        ]),
    decode_head=dict(
        type='attn_plugins.DeepLabV3Head',
        in_channels=320,
        in_index=1,
        channels=256,
        dilations=(1, 12, 24, 36),
        dropout_ratio=0.1,
        num_classes=19,
        norm_cfg=dict(type='BN'),
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0)),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'))
