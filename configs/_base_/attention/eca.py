# Efficient Channel Attention, adaptive kernel size (Wang et al., CVPR 2020); MobileNetV2 as in BangguWu/ECANet, which has
# kernels of its own there: 1 below 96 channels, else 3.
attention = dict(
    MobileNetV2=[dict(cfg=dict(type='attn_plugins.ECA'), position='after_linear')],
    others=[dict(cfg=dict(type='attn_plugins.ECA'))])
