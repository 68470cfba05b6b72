# Coordinate Attention, both axes, reduction 12 (Hou et al., CVPR 2021).
attention = [dict(cfg=dict(type='attn_plugins.CoordAttention', reduction=12))]
