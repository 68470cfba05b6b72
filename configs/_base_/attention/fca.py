# Frequency channel attention, 16 frequencies, reduction 16, sizes of the maps at 224 x 224 (FcaNet; Qin et al., ICCV 2021;
# cfzd/FcaNet). MobileNetV2: not published; the sizes of its maps.
attention = dict(
    ResNet=[
        dict(
            cfg=dict(type='attn_plugins.FCA', frequencies='top16', dct_size=size, reduction=16),
            stages=tuple(stage == other for other in range(4))) for stage, size in enumerate((56, 28, 14, 7))
    ],
    MobileNetV2=[
        dict(
            cfg=dict(type='attn_plugins.FCA', frequencies='top16', dct_size=size, reduction=16),
            stages=tuple(stage == other for other in range(7))) for stage, size in enumerate((56, 28, 14, 14, 7, 7), start=1)
    ])
