# Squeeze-and-Excitation, reduction 16 (Hu et al., CVPR 2018); in MobileNetV2 24, as in Coordinate Attention's comparison
# (Andrew-Qibin/ssdlite-pytorch-mobilenext: 3.89 M parameters).
attention = dict(
    MobileNetV2=[dict(cfg=dict(type='attn_plugins.SE', reduction=24))],
    others=[dict(cfg=dict(type='attn_plugins.SE', reduction=16))])
