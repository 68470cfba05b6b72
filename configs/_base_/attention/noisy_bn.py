# Batch norm under constant noise in training, the attack of the IEBN paper (Liang et al., AAAI 2020), in place of the main
# path's BN. The paper's constants are not public as code: 0.8 and 0.8 are the layer's default.
attention = [dict(cfg=dict(type='attn_plugins.NoisyBN', na=0.8, nb=0.8), norm='main')]
