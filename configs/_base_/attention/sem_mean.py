# Control of sem: the switchable module, whose gate is frozen at its mean over the images, so that it cannot attend.
attention = [
    dict(
        cfg=dict(
            type='attn_plugins.ChannelAttention',
            excitation=dict(
                type='switch', excitations=[dict(type='fc', reduction=16), 'conv1d', 'instance_enhance']),
            gate=dict(type='mean_over_images')))
]
