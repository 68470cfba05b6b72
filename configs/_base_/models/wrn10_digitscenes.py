# Wide ResNet 10 at half the width of WRN-10-1 for 32 x 32 images, classifying ten classes.
_base_ = './resnet20_digitscenes.py'
model = dict(
    backbone=dict(
        _delete_=True,
        type='attn_plugins.Plugged',
        host='attn_plugins.WideResNet',
        depth=10,
        widen_factor=0.5,
        norm_cfg=dict(type='BN'),
        place=dict(position='after_conv2')))
