# SSDLite's head on the classifier's ResNet-8, for scenes of 64 x 64 pixels with digits 15 to 33 pixels large.
_base_ = './ssdlite_mobilenetv2_digitscenes.py'
model = dict(
    backbone=dict(
        _delete_=True,
        type='attn_plugins.Plugged',
        host='attn_plugins.CifarResNet',
        depth=8,
        stem_stride=2,
        norm_cfg=dict(type='BN', momentum=0.03),
        place=dict(position='after_conv2')),
    neck=None,
    bbox_head=dict(
        in_channels=(64, ),
        norm_cfg=dict(type='BN', momentum=0.03),
        anchor_generator=dict(
            _delete_=True, type='AnchorGenerator', strides=[8], base_sizes=[8], ratios=[1., 1.6], scales=[2., 2.8, 3.8])),
    test_cfg=dict(nms_pre=100, score_thr=0.05))
