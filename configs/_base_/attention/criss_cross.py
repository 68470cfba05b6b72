# Criss-cross attention (CCNet; Huang et al., ICCV 2019). Published in a segmentation head only, twice with the same weights:
# replace='cca' of mmseg's CCHead. In backbones here once, after the last stage, whose map that head takes.
attention = dict(
    ResNet=[
        dict(cfg=dict(type='attn_plugins.CrissCross'), position='stage_output', stages=(False, False, False, True))
    ],
    MobileNetV2=[
        dict(cfg=dict(type='attn_plugins.CrissCross'), position='stage_output', stages=(False, ) * 6 + (True, ))
    ])
