# Double attention after the blocks of the third stage (A2-Nets; Chen et al., NeurIPS 2018; no authors' code, the place is
# an example). MobileNetV2: not published; after the blocks of the last stage of the same stride, 16.
attention = dict(
    ResNet=[
        dict(cfg=dict(type='attn_plugins.DoubleAttention'), position='block_output', stages=(False, False, True, False))
    ],
    MobileNetV2=[
        dict(
            cfg=dict(type='attn_plugins.DoubleAttention'),
            position='block_output', stages=(False, False, False, False, True, False, False))
    ])
