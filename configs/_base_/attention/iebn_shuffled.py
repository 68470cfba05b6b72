# Control of iebn: IEBN whose gates are shuffled between the images of a batch.
attention = [dict(cfg=dict(type='attn_plugins.IEBN', gate=dict(type='shuffled_images')), norm='main')]
