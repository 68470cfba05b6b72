# A composition, nobody's method: ECA's excitation on the mean and the maximum of each channel, with a hard sigmoid.
attention = [
    dict(cfg=dict(
        type='attn_plugins.ChannelAttention', squeeze=['mean', 'max'], excitation='conv1d', gate='hard_sigmoid'))
]
