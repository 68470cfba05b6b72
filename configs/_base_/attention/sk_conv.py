# Selective kernels, two branches, reduction 16, in place of the 3x3 convolutions (Li et al., CVPR 2019; implus/SKNet, a
# ResNeXt: groups are the host's). BasicBlock and MobileNetV2: not published; here the second 3x3, the depthwise one.
attention = dict(
    ResNet=[dict(cfg=dict(type='attn_plugins.SKConv', branches=2, reduction=16), replace='**.conv2')],
    MobileNetV2=[
        dict(
            cfg=dict(type='attn_plugins.SKConv', branches=2, reduction=16),
            replace=[f'layer{stage}.*.conv.1.conv' for stage in range(2, 8)])
    ])
