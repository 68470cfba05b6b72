# DIA, reduction 20, one layer per stage, at the blocks of ResNet-50 that EAN's search has found:
# 110-0011-110010-011 (Huang et al., 2020, table 5).
attention = [
    dict(
        cfg=dict(type='attn_plugins.DIA', reduction=20),
        share='stage',
        stages=(
            (True, True, False),
            (False, False, True, True),
            (True, True, False, False, True, False),
            (False, True, True),
        ),
    )
]
