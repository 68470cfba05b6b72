# PreResNet-164 for 32 x 32 images. DIANet puts a norm before its attention: extra_norm=True.
_base_ = './resnet164_cifar.py'
model = dict(
    backbone=dict(
        _delete_=True,
        type='attn_plugins.Plugged',
        host='attn_plugins.PreResNet',
        depth=164,
        norm_cfg=dict(type='BN'),
        place=dict(position='after_conv3')))
