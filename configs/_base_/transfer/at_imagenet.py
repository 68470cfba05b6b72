# Attention transfer as on ImageNet: it begins at epoch 60 of 100 (paper, table 5).
losses = [dict(type='attn_plugins.ActivationTransfer', map='sum', p=2, schedule=dict(begin=60))]
