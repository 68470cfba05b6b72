# Wide ResNet for 32 x 32 images as attention transfer trains it: no dropout, and the authors' start, which draws the scales
# of the batch norms from U(0, 1). A leaf gives depth, widen_factor and 64 * widen_factor channels to the head.
_base_ = './resnet164_cifar.py'
model = dict(
    backbone=dict(
        _delete_=True,
        type='attn_plugins.Plugged',
        host='attn_plugins.WideResNet',
        depth=16,
        widen_factor=1,
        norm_cfg=dict(type='BN'),
        init_cfg=[
            dict(type='Kaiming', layer='Conv2d', mode='fan_in', nonlinearity='relu', distribution='normal'),
            dict(type='Uniform', layer='_BatchNorm', a=0, b=1, bias=0)
        ],
        place=dict(position='after_conv2')),
    head=dict(
        in_channels=64,
        init_cfg=dict(
            _delete_=True,
            type='Kaiming',
            layer='Linear',
            mode='fan_in',
            nonlinearity='relu',
            distribution='normal',
            bias=0)))
