# Control of se: Squeeze-and-Excitation whose gates are shuffled between images.
attention = [
    dict(
        cfg=dict(
            type='attn_plugins.ChannelAttention', excitation=dict(type='fc', reduction=16),
            gate=dict(type='shuffled_images')))
]
