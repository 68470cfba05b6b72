# Global context block, ratio 1/16, in the last three stages (GCNet; Cao et al., ICCV Workshops 2019; mmdet: configs/gcnet).
# Other hosts: not published; the stages that the config names.
attention = dict(
    ResNet=[dict(cfg=dict(type='attn_plugins.GC', ratio=1 / 16), stages=(False, True, True, True))],
    others=[dict(cfg=dict(type='attn_plugins.GC', ratio=1 / 16))])
