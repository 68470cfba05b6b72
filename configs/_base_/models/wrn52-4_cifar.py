# Wide ResNet 52-4 for 32 x 32 images with dropout 0.3. DIANet puts a norm before its attention: extra_norm=True.
_base_ = './resnet164_cifar.py'
model = dict(
    backbone=dict(
        _delete_=True,
        type='attn_plugins.Plugged',
        host='attn_plugins.WideResNet',
        depth=52,
        widen_factor=4,
        dropout=0.3,
        norm_cfg=dict(type='BN'),
        place=dict(position='after_conv2')))
