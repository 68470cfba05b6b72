# Control of se: Squeeze-and-Excitation whose gate is frozen at its mean over the images, so that it cannot attend.
attention = [
    dict(
        cfg=dict(
            type='attn_plugins.ChannelAttention', excitation=dict(type='fc', reduction=16),
            gate=dict(type='mean_over_images')))
]
