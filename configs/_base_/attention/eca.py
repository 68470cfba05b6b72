# Efficient Channel Attention, kernels per stage as BangguWu/ECANet's README has them for ResNet-50 and ResNet-18; in
# MobileNetV2 1 below 96 channels, else 3. Elsewhere adaptive (Wang et al., CVPR 2020).
attention = dict(
    Bottleneck=[
        dict(cfg=dict(type='attn_plugins.ECA', kernel_size=k), stages=tuple(i == j for j in range(4)))
        for i, k in enumerate((3, 5, 5, 7))
    ],
    BasicBlock=[
        dict(cfg=dict(type='attn_plugins.ECA', kernel_size=k), stages=tuple(i == j for j in range(4)))
        for i, k in enumerate((3, 5, 7, 7))
    ],
    MobileNetV2=[
        dict(cfg=dict(type='attn_plugins.ECA', kernel_size=k), position='after_linear', stages=tuple(stages))
        for k, stages in ((1, [True] * 4 + [False] * 3), (3, [False] * 4 + [True] * 3))],
    others=[dict(cfg=dict(type='attn_plugins.ECA'))])
