# Dynamic convolution, 8 kernels per place, in place of the 3x3 convolutions (Wu et al., ICLR 2019, on images as in Zhu et
# al., ICCV 2019, without public code). BasicBlock and MobileNetV2: not published; the second 3x3, the depthwise one.
attention = dict(
    ResNet=[dict(cfg=dict(type='attn_plugins.DynamicConv', weight_groups=8), replace='**.conv2')],
    MobileNetV2=[
        dict(
            cfg=dict(type='attn_plugins.DynamicConv', weight_groups=8),
            replace=[f'layer{stage}.*.conv.1.conv' for stage in range(2, 8)])
    ])
