# Coordinate Attention, both axes, reduction 32 (Hou et al., CVPR 2021).
attention = dict(type='attn_plugins.CoordAttention', reduction=32)
