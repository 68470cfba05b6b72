# Squeeze-and-Excitation, reduction 16 (Hu et al., CVPR 2018).
attention = [dict(cfg=dict(type='attn_plugins.SE', reduction=16))]
