# Spatial Group-wise Enhance, 64 groups (Li et al., 2019; implus/PytorchInsight). Other blocks, which may have fewer than 64
# channels: 4, which gbup-group/EAN-efficient-attention-network has on CIFAR.
attention = dict(
    Bottleneck=[dict(cfg=dict(type='attn_plugins.SGE', groups=64))],
    others=[dict(cfg=dict(type='attn_plugins.SGE', groups=4))])
