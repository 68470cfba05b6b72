# Position attention of DANet (Fu et al., CVPR 2019). Published in a segmentation head only: replace='pam' of mmseg's DAHead.
# In backbones here after the last stage, whose map that head takes.
attention = dict(
    ResNet=[dict(cfg=dict(type='attn_plugins.PAM'), position='stage_output', stages=(False, False, False, True))],
    MobileNetV2=[dict(cfg=dict(type='attn_plugins.PAM'), position='stage_output', stages=(False, ) * 6 + (True, ))])
