# Triplet attention, 7x7 (Misra et al., WACV 2021); MobileNetV2 as in landskape-ai/triplet-attention, in every block.
attention = dict(
    MobileNetV2=[dict(cfg=dict(type='attn_plugins.TripletAttention', kernel_size=7), position='after_linear')],
    others=[dict(cfg=dict(type='attn_plugins.TripletAttention', kernel_size=7))])
