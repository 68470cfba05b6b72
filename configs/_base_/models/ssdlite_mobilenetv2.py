# SSDLite320 on MobileNetV2 as in the Coordinate Attention experiments: structure, priors, loss and thresholds of
# https://github.com/Andrew-Qibin/ssdlite-pytorch-mobilenext, commit 6219e33, configs/mobilenet_v2_ssd320_coco.yaml.
# It differs in one thing: priors wider or higher than the image are not cut to it.
# The authors start from ImageNet weights, ours for the same attention layer are loaded by
# --cfg-options model.backbone.init_cfg.type=Pretrained model.backbone.init_cfg.prefix=backbone. \
#   model.backbone.init_cfg.checkpoint=CHECKPOINT
model = dict(
    type='SingleStageDetector',
    data_preprocessor=dict(
        type='DetDataPreprocessor', mean=[123., 117., 104.], std=[1., 1., 1.], bgr_to_rgb=True, pad_size_divisor=1),
    backbone=dict(
        type='attn_plugins.Plugged',
        host='mmpretrain.MobileNetV2',
        place=dict(position='after_depthwise', stages=(False, ) + (True, ) * 6),
        out_indices=(4, 7),
        init_cfg=[
            dict(type='Kaiming', layer=['Conv2d'], mode='fan_out'),
            dict(type='Constant', val=1, layer=['_BatchNorm', 'GroupNorm'])
        ]),
    neck=dict(type='attn_plugins.SSDLiteNeck', in_channels=(96, 1280)),
    bbox_head=dict(
        type='attn_plugins.SSDLiteHead',
        in_channels=(96, 1280, 512, 256, 256, 64),
        num_classes=80,
        loss_cls=dict(type='mmdet.FocalLoss', gamma=2.0, alpha=0.25, loss_weight=5.0),
        background_output=True,
        last_level_plain=True,
        depthwise_bias=True,
        norm_cfg=dict(type='BN'),
        act_cfg=dict(type='ReLU6'),
        anchor_generator=dict(
            type='SSDAnchorGenerator',
            scale_major=False,
            strides=[16, 32, 64, 120, 160, 320],
            ratios=[[2, 3], [2, 3], [2, 3], [2, 3], [2, 3], [2]],
            min_sizes=[45, 90, 135, 180, 225, 270],
            max_sizes=[90, 135, 180, 225, 270, 315]),
        bbox_coder=dict(type='DeltaXYWHBBoxCoder', target_means=[0.] * 4, target_stds=[0.1, 0.1, 0.2, 0.2])),
    train_cfg=dict(
        assigner=dict(type='MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.5, min_pos_iou=0., gt_max_assign_all=False),
        sampler=dict(type='PseudoSampler'),
        smoothl1_beta=1.,
        allowed_border=-1,
        pos_weight=-1,
        neg_pos_ratio=3,
        debug=False),
    test_cfg=dict(
        nms_pre=1000, nms=dict(type='nms', iou_threshold=0.5), min_bbox_size=0, score_thr=0.05, max_per_img=100))
