# Attention transfer by sums of absolute values (paper, table 2).
losses = [dict(type='attn_plugins.ActivationTransfer', map='sum', p=1)]
