# Control of iebn: IEBN whose gates are shuffled between images.
attention = [dict(cfg=dict(type='attn_plugins.IEBN', gate=dict(type='shuffled_images')), norm='main')]
