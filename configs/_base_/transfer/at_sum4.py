# Attention transfer by sums of fourth powers (paper, table 2).
losses = [dict(type='attn_plugins.ActivationTransfer', map='sum', p=4)]
