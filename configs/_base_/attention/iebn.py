# Instance Enhancement Batch Normalization in place of the main path's BN (Liang et al., AAAI 2020).
attention = [dict(cfg=dict(type='attn_plugins.IEBN'), norm='main')]
