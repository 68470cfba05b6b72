# Convolutional Block Attention Module, reduction 12, 7x7 (Woo et al., ECCV 2018).
attention = [dict(cfg=dict(type='attn_plugins.CBAM', reduction=12))]
