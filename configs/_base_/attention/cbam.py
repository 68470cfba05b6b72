# Convolutional Block Attention Module, reduction 16, 7x7 (Woo et al., ECCV 2018); in MobileNetV2 reduction 24, as in the
# comparison of Coordinate Attention (3.89 M parameters).
attention = dict(
    MobileNetV2=[dict(cfg=dict(type='attn_plugins.CBAM', reduction=24))],
    others=[dict(cfg=dict(type='attn_plugins.CBAM', reduction=16))])
