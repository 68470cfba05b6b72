"""The channel compositions, SGE and GE, for the contract test."""

LAYERS = {
    'SRM': dict(type='attn_plugins.SRM'),
    'SRM, paper': dict(type='attn_plugins.SRM', variant='paper'),
    'GCT': dict(type='attn_plugins.GCT'),
    'GCT, l1': dict(type='attn_plugins.GCT', mode='l1'),
    'FCA': dict(type='attn_plugins.FCA', reduction=4, frequencies='top8'),
    'FCA, another size': dict(type='attn_plugins.FCA', reduction=4, frequencies='low4', dct_size=(14, 8)),
    'SEM': dict(type='attn_plugins.SEM', reduction=4),
    'SEM, another list': dict(type='attn_plugins.SEM', excitations=['normalized_scale', 'conv1d']),
    'DIA': dict(type='attn_plugins.DIA', reduction=4),
    'SGE': dict(type='attn_plugins.SGE', groups=4),
    'SGE, paper': dict(type='attn_plugins.SGE', groups=4, variant='paper'),
    'GE': dict(type='attn_plugins.GE'),
    'GE, extent 8': dict(type='attn_plugins.GE', extent=8),
    'GE, extent 2 with parameters': dict(type='attn_plugins.GE', extent=2, mode='theta'),
    'GE, extent 4 with excitation': dict(type='attn_plugins.GE', extent=4, mode='theta_plus', reduction=4),
    'GE, extent 8 with bias': dict(type='attn_plugins.GE', extent=8, mode='theta', bias=True),
    'a switch over a stack of squeezes': dict(
        type='attn_plugins.ChannelAttention',
        squeeze=dict(type='stack', squeezes=['max', 'mean_std', 'l2', dict(type='dct', frequencies='low2')]),
        excitation=dict(type='switch', excitations=[dict(type='fc', reduction=4), 'conv1d']),
        gate='one_plus_tanh',
    ),
    'a gate per row and column': dict(
        type='attn_plugins.ChannelAttention',
        squeeze='strips',
        excitation=dict(type='switch', excitations=['style', 'conv1d']),
    ),
    'a recurrent excitation of a stack': dict(
        type='attn_plugins.ChannelAttention',
        squeeze='mean_std',
        excitation=dict(type='lstm', reduction=4),
        gate='identity',
    ),
    'two squeezes added, softmax': dict(
        type='attn_plugins.ChannelAttention',
        squeeze=['std', 'l1'],
        excitation='instance_enhance',
        gate='softmax',
    ),
}
