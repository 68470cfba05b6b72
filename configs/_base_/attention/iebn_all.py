# IEBN in place of every BN, as the paper says ("we replace all the BNs"); the authors' code leaves the shortcut's plain, as iebn.
attention = [dict(cfg=dict(type='attn_plugins.IEBN'), norm='all')]
