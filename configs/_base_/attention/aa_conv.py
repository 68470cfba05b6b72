# Attention-augmented convolution, 8 heads, in place of the 3x3 of the last two stages (Bello et al., ICCV 2019; no authors'
# code, the place is an example). MobileNetV2: not published; a depthwise convolution has no channels to give, so the 1x1
# that expands.
attention = dict(
    ResNet=[dict(cfg=dict(type='attn_plugins.AAConv', num_heads=8), replace=['layer3.*.conv2', 'layer4.*.conv2'])],
    MobileNetV2=[
        dict(cfg=dict(type='attn_plugins.AAConv', num_heads=8), replace=['layer6.*.conv.0.conv', 'layer7.*.conv.0.conv'])
    ])
