# Gated Channel Transformation before every convolution, of stem and shortcuts too (Yang et al., CVPR 2020; z-x-yang/GCT).
# MobileNetV2: not published; every convolution likewise. In mmseg's deep stem (ResNetV1c) the convolutions stay without.
attention = dict(
    ResNet=[dict(cfg=dict(type='attn_plugins.GCT'), before=['**.conv*', '**.downsample.0'])],
    MobileNetV2=[dict(cfg=dict(type='attn_plugins.GCT'), before=['conv*.conv', 'layer*.*.conv.*.conv'])])
