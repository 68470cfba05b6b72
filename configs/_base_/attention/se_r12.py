# Squeeze-and-Excitation, reduction 12 in every host (Hu et al., CVPR 2018).
attention = [dict(cfg=dict(type='attn_plugins.SE', reduction=12))]
