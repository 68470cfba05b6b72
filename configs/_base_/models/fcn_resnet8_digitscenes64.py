# A fully convolutional head on the last two stages of the classifier's ResNet-8, for scenes of 64 x 64 pixels.
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor', mean=[100.] * 3, std=[70.] * 3, bgr_to_rgb=True, pad_val=0, seg_pad_val=255,
        size=(64, 64)),
    backbone=dict(
        type='attn_plugins.Plugged',
        host='attn_plugins.CifarResNet',
        depth=8,
        stem_stride=2,
        out_indices=(1, 2),
        norm_cfg=dict(type='BN', momentum=0.03),
        place=dict(position='after_conv2')),
    decode_head=dict(
        type='FCNHead',
        in_channels=(32, 64),
        in_index=(0, 1),
        input_transform='resize_concat',
        channels=32,
        num_convs=1,
        kernel_size=3,
        concat_input=False,
        dropout_ratio=0.,
        num_classes=11,
        norm_cfg=dict(type='BN', momentum=0.03),
        align_corners=False,
        # Six pixels of seven are background: without the weight the model stays there.
        loss_decode=dict(type='CrossEntropyLoss', class_weight=[0.3] + [1.] * 10)),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'))
