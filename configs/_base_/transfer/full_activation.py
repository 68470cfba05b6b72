# Full activations in place of maps (paper, F-ActT): 1x1 convolutions where widths differ, a weight that decays.
losses = [dict(type='attn_plugins.FullActivationTransfer', schedule=dict(decay='linear'))]
