# Control of iebn: IEBN whose gate is frozen at its mean over the images, so that it cannot attend.
attention = [dict(cfg=dict(type='attn_plugins.IEBN', gate=dict(type='mean_over_images')), norm='main')]
