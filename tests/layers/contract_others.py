"""The contract entries of the layers in test_others.py and test_noisy_bn.py."""

LAYERS = {
    'BAM': dict(type='attn_plugins.BAM', reduction=4),
    'BAM of the paper': dict(type='attn_plugins.BAM', reduction=4, variant='paper'),
    'SimAM': dict(type='attn_plugins.SimAM'),
    'TripletAttention': dict(type='attn_plugins.TripletAttention'),
    'TripletAttention, two gates': dict(type='attn_plugins.TripletAttention', kernel_size=3, spatial=False),
    'GALA': dict(type='attn_plugins.GALA'),
    'GALA of the paper': dict(type='attn_plugins.GALA', variant='paper'),
    'GALA, additive': dict(type='attn_plugins.GALA', interaction='additive'),
    'GALA, multiplicative': dict(type='attn_plugins.GALA', interaction='multiplicative'),
    'GC': dict(type='attn_plugins.GC', ratio=1 / 4),
    'GC, both fusions, mean': dict(
        type='attn_plugins.GC', ratio=1 / 4, pooling_type='avg', fusion_types=['channel_add', 'channel_mul']
    ),
    'NoisyBN': dict(type='attn_plugins.NoisyBN'),
    'NoisyBN, in tests too': dict(type='attn_plugins.NoisyBN', na=0.5, nb=-0.25, at_test=True),
}
