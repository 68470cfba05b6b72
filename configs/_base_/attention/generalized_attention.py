# Generalized attention, all four terms, 8 heads, after the 3x3 of the last two stages (Zhu et al., ICCV 2019; mmdet:
# configs/empirical_attention). MobileNetV2: not published; after the depthwise 3x3 of the stages of the same strides.
attention = dict(
    ResNet=[
        dict(
            cfg=dict(type='attn_plugins.GeneralizedAttention', attention_type='1111', num_heads=8, kv_stride=2),
            position='after_conv2', stages=(False, False, True, True))
    ],
    MobileNetV2=[
        dict(
            cfg=dict(type='attn_plugins.GeneralizedAttention', attention_type='1111', num_heads=8, kv_stride=2),
            position='after_depthwise', stages=(False, False, False, True, True, True, True))
    ])
