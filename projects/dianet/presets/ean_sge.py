# Spatial Group-wise Enhance, 64 groups, one layer per stage, at the blocks of ResNet-50 that EAN's search has found:
# 100-1011-010011-011 (Huang et al., 2020, table 5).
attention = [
    dict(
        cfg=dict(type='attn_plugins.SGE', groups=64),
        share='stage',
        stages=(
            (True, False, False),
            (True, False, True, True),
            (False, True, False, False, True, True),
            (False, True, True),
        ),
    )
]
