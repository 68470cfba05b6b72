# Control of sem: the switchable module, whose gates are shuffled between images.
attention = [
    dict(
        cfg=dict(
            type='attn_plugins.ChannelAttention',
            excitation=dict(
                type='switch', excitations=[dict(type='fc', reduction=16), 'conv1d', 'instance_enhance']),
            gate=dict(type='shuffled_images')))
]
