# Control of dia: one layer per stage with a state, whose gates are shuffled between images; places and
# reductions are those of dia.
attention = {
    host: [
        dict(
            cfg=dict(
                type='attn_plugins.ChannelAttention', excitation=dict(type='lstm', reduction=reduction),
                gate=dict(type='shuffled_images', gate='identity')), share='stage', **where)
    ]
    for host, reduction, where in (
        ('Bottleneck', 20, {}), ('MobileNetV2', 4, dict(position='after_linear')), ('others', 4, {}))
}
