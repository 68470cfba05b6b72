# Control of dia: one layer per stage with a state, whose gates are shuffled between the images of a batch; reductions as in dia.
attention = dict(
    Bottleneck=[
        dict(
            cfg=dict(
                type='attn_plugins.ChannelAttention', excitation=dict(type='lstm', reduction=20),
                gate=dict(type='shuffled_images', gate='identity')),
            share='stage')
    ],
    MobileNetV2=[
        dict(
            cfg=dict(
                type='attn_plugins.ChannelAttention', excitation=dict(type='lstm', reduction=4),
                gate=dict(type='shuffled_images', gate='identity')),
            position='after_linear', share='stage')
    ],
    others=[
        dict(
            cfg=dict(
                type='attn_plugins.ChannelAttention', excitation=dict(type='lstm', reduction=4),
                gate=dict(type='shuffled_images', gate='identity')),
            share='stage')
    ])
