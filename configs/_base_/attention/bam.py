# Bottleneck Attention Module, reduction 16, between the stages of a ResNet (Park et al., BMVC 2018;
# Jongchan/attention-module). MobileNetV2: not published; all but the last, and the first, of too few channels.
attention = dict(
    ResNet=[
        dict(cfg=dict(type='attn_plugins.BAM', reduction=16), position='stage_output', stages=(True, True, True, False))
    ],
    MobileNetV2=[
        dict(
            cfg=dict(type='attn_plugins.BAM', reduction=16),
            position='stage_output',
            stages=(False, True, True, True, True, True, False))
    ])
