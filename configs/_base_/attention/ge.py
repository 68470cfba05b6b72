# Gather-Excite without parameters over the whole map, theta-minus (Hu et al., NeurIPS 2018).
attention = [dict(cfg=dict(type='attn_plugins.GE', extent='global', mode='theta_minus'))]
