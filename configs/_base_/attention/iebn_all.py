# IEBN in place of every BN, as the paper says ("we replace all the BNs"); the authors' code, and iebn, leave the shortcut's.
attention = [dict(cfg=dict(type='attn_plugins.IEBN'), norm='all')]
