# Spatial Group-wise Enhance, 64 groups, one layer per stage: the "share" rows of EAN (Huang et al., 2020).
attention = [dict(cfg=dict(type='attn_plugins.SGE', groups=64), share='stage')]
