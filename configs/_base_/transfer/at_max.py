# Attention transfer by maxima of absolute values (paper, table 2).
losses = [dict(type='attn_plugins.ActivationTransfer', map='max', p=1)]
