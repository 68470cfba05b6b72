# Coordinate Attention, both axes, reduction 32 (Hou et al., CVPR 2021); published in MobileNetV2.
attention = [dict(cfg=dict(type='attn_plugins.CoordAttention', reduction=32))]
