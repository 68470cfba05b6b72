# SimAM between the 3x3, or depthwise, convolution and its norm, lambda 0.1 as on ImageNet and COCO (Yang et al., ICML 2021;
# ZjjConan/SimAM). BasicBlock: the second 3x3.
attention = dict(
    ResNet=[dict(cfg=dict(type='attn_plugins.SimAM', e_lambda=0.1), after='**.conv2')],
    MobileNetV2=[
        dict(
            cfg=dict(type='attn_plugins.SimAM', e_lambda=0.1),
            after=['layer1.0.conv.0.conv'] + [f'layer{stage}.*.conv.1.conv' for stage in range(2, 8)])
    ])
