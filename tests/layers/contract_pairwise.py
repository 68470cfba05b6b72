"""The pairwise layers that the contract test builds, by name."""

LAYERS = {
    'NonLocal': dict(type='attn_plugins.NonLocal'),
    'NonLocal, unscaled': dict(type='attn_plugins.NonLocal', use_scale=False, sub_sample=True),
    'NonLocal, gaussian': dict(type='attn_plugins.NonLocal', mode='gaussian', sub_sample=True),
    'NonLocal, dot product': dict(type='attn_plugins.NonLocal', mode='dot_product'),
    'NonLocal, concatenation': dict(type='attn_plugins.NonLocal', mode='concatenation'),
    'NonLocal with a norm': dict(type='attn_plugins.NonLocal', norm_cfg=dict(type='BN')),
    'CrissCross': dict(type='attn_plugins.CrissCross', reduction=2),
    'PAM': dict(type='attn_plugins.PAM', reduction=2),
    'CAM': dict(type='attn_plugins.CAM'),
    "CAM, the paper's": dict(type='attn_plugins.CAM', variant='paper'),
    'DoubleAttention': dict(type='attn_plugins.DoubleAttention'),
    **{
        f'GeneralizedAttention {bits:04b}': dict(
            type='attn_plugins.GeneralizedAttention', num_heads=4, attention_type=f'{bits:04b}'
        )
        for bits in range(1, 16)
    },
    'GeneralizedAttention, default': dict(type='attn_plugins.GeneralizedAttention', num_heads=8),
    'GeneralizedAttention, strided': dict(type='attn_plugins.GeneralizedAttention', num_heads=3, q_stride=2),
    'GeneralizedAttention 0001, strided': dict(
        type='attn_plugins.GeneralizedAttention', num_heads=2, q_stride=2, attention_type='0001'
    ),
    'GeneralizedAttention, near': dict(
        type='attn_plugins.GeneralizedAttention', num_heads=2, spatial_range=1, q_stride=2
    ),
    'GeneralizedAttention 0001, near': dict(
        type='attn_plugins.GeneralizedAttention', num_heads=2, spatial_range=0, attention_type='0001'
    ),
}
