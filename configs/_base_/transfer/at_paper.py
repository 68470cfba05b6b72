# Attention transfer in the paper's words: half of the norm of the difference, beta = 0.1.
losses = [dict(type='attn_plugins.ActivationTransfer', map='sum', p=2, variant='paper')]
