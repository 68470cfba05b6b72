# Attention transfer by sums of squares (Zagoruyko and Komodakis, ICLR 2017), reduced and weighted as the authors' code does.
losses = [dict(type='attn_plugins.ActivationTransfer', map='sum', p=2)]
