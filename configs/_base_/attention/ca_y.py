# Coordinate Attention's Y row: one descriptor per image column, pooled along the height (Hou et al., CVPR 2021).
attention = [dict(cfg=dict(type='attn_plugins.CoordAttention', axes='w', reduction=24))]
