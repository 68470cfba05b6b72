# Dense-and-Implicit Attention, one layer per stage (Huang et al., AAAI 2020; gbup-group/DIANet): reduction 20 as on
# ImageNet where blocks are bottlenecks, else 4 as on CIFAR. MobileNetV2: not published; only after the projection do the
# blocks of a stage have equal channels.
attention = dict(
    Bottleneck=[dict(cfg=dict(type='attn_plugins.DIA', reduction=20), share='stage')],
    MobileNetV2=[dict(cfg=dict(type='attn_plugins.DIA', reduction=4), position='after_linear', share='stage')],
    others=[dict(cfg=dict(type='attn_plugins.DIA', reduction=4), share='stage')])
