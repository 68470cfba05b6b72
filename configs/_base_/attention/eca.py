# Efficient Channel Attention, adaptive kernel size (Wang et al., CVPR 2020).
attention = dict(type='attn_plugins.ECA')
