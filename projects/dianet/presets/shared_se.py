# Squeeze-and-Excitation, reduction 16, one layer per stage: the "share" rows of EAN (Huang et al., 2020).
attention = [dict(cfg=dict(type='attn_plugins.SE', reduction=16), share='stage')]
