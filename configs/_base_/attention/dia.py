# Dense-and-Implicit Attention, one layer per stage, reduction 4 as on CIFAR, 20 on ImageNet (Huang et al., AAAI 2020;
# gbup-group/DIANet). MobileNetV2: not published; only after the projection do the blocks of a stage have equal channels.
attention = dict(
    MobileNetV2=[dict(cfg=dict(type='attn_plugins.DIA', reduction=4), position='after_linear', share='stage')],
    others=[dict(cfg=dict(type='attn_plugins.DIA', reduction=4), share='stage')])
