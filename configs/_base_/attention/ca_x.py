# Coordinate Attention's X row: one descriptor per image row, pooled along the width (Hou et al., CVPR 2021).
attention = [dict(cfg=dict(type='attn_plugins.CoordAttention', axes='h', reduction=24))]
