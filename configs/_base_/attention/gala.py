# Global-and-local attention, reduction 4, in the first block of every stage (Linsley et al., ICLR 2019; GALA-v1 of
# serre-lab/gala_tpu). BasicBlock and MobileNetV2: not published; likewise after the block's last norm.
attention = dict(
    Bottleneck=[dict(cfg=dict(type='attn_plugins.GALA', reduction=4), after='layer*.0.bn3')],
    BasicBlock=[dict(cfg=dict(type='attn_plugins.GALA', reduction=4), after='layer*.0.bn2')],
    MobileNetV2=[
        dict(
            cfg=dict(type='attn_plugins.GALA', reduction=4),
            position='after_linear',
            stages=(False, ) + tuple((True, ) + (False, ) * (blocks - 1) for blocks in (2, 3, 4, 3, 3, 1)))
    ])
