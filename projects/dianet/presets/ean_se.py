# Squeeze-and-Excitation, reduction 16, one layer per stage, at the blocks of ResNet-50 that EAN's search has found:
# 010-0010-110011-001 (Huang et al., 2020, table 5).
attention = [
    dict(
        cfg=dict(type='attn_plugins.SE', reduction=16),
        share='stage',
        stages=(
            (False, True, False),
            (False, False, True, False),
            (True, True, False, False, True, True),
            (False, False, True),
        ),
    )
]
