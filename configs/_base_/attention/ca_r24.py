# Coordinate Attention, both axes, reduction 24 (Hou et al., CVPR 2021): in MobileNeXt nearest to the printed 4.09 M.
attention = [dict(cfg=dict(type='attn_plugins.CoordAttention', reduction=24))]
