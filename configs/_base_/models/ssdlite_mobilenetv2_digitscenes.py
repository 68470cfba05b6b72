# SSDLite on MobileNetV2 at half width, for scenes of 128 x 128 pixels with digits 12 to 81 pixels large.
model = dict(
    type='SingleStageDetector',
    data_preprocessor=dict(
        type='DetDataPreprocessor', mean=[100.] * 3, std=[70.] * 3, bgr_to_rgb=True, pad_size_divisor=1),
    backbone=dict(
        type='attn_plugins.Plugged', host='mmpretrain.MobileNetV2', widen_factor=0.5, out_indices=(4, 7)),
    neck=dict(
        type='SSDNeck',
        in_channels=(48, 1280),
        out_channels=(48, 1280, 256),
        level_strides=(2, ),
        level_paddings=(1, ),
        l2_norm_scale=None,
        use_depthwise=True,
        norm_cfg=dict(type='BN'),
        act_cfg=dict(type='ReLU6')),
    bbox_head=dict(
        type='attn_plugins.SSDLiteHead',
        in_channels=(48, 1280, 256),
        num_classes=10,
        norm_cfg=dict(type='BN'),
        act_cfg=dict(type='ReLU6'),
        anchor_generator=dict(
            type='SSDAnchorGenerator',
            scale_major=False,
            strides=[16, 32, 64],
            ratios=[[2], [2], [2]],
            min_sizes=[28, 42, 64],
            max_sizes=[42, 64, 96]),
        bbox_coder=dict(type='DeltaXYWHBBoxCoder', target_means=[0.] * 4, target_stds=[0.1, 0.1, 0.2, 0.2])),
    train_cfg=dict(
        assigner=dict(type='MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.5, min_pos_iou=0., gt_max_assign_all=False),
        sampler=dict(type='PseudoSampler'),
        smoothl1_beta=1.,
        allowed_border=-1,
        pos_weight=-1,
        neg_pos_ratio=3,
        debug=False),
    test_cfg=dict(nms_pre=1000, nms=dict(type='nms', iou_threshold=0.45), min_bbox_size=0, score_thr=0.02, max_per_img=20))
