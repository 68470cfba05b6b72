# Network in Network for 32 x 32 images, the wide one of attention transfer; a leaf gives other widths. Its widths, dropout
# and start are not published: those of the host, with the linear layer's as torch's.
_base_ = './resnet164_cifar.py'
model = dict(
    backbone=dict(
        _delete_=True,
        type='attn_plugins.Plugged',
        host='attn_plugins.NIN',
        norm_cfg=dict(type='BN'),
        place=dict(position='after_conv2')),
    head=dict(in_channels=192))
