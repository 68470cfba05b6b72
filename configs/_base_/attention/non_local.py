# Non-local blocks after every second block of stages 2 and 3 (Wang et al., CVPR 2018; facebookresearch/video-nonlocal-net).
# BasicBlock and MobileNetV2: not published; after the stages of the same strides, 8 and 16.
attention = dict(
    Bottleneck=[
        dict(cfg=dict(type='attn_plugins.NonLocal', sub_sample=True, norm_cfg=dict(type='BN')),
             after=['layer2.1', 'layer2.3', 'layer3.1', 'layer3.3', 'layer3.5'])
    ],
    BasicBlock=[
        dict(cfg=dict(type='attn_plugins.NonLocal', sub_sample=True, norm_cfg=dict(type='BN')),
             position='stage_output', stages=(False, True, True, False))
    ],
    MobileNetV2=[
        dict(cfg=dict(type='attn_plugins.NonLocal', sub_sample=True, norm_cfg=dict(type='BN')),
             position='stage_output', stages=(False, False, True, False, True, False, False))
    ])
