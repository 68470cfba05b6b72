# SSDLite on ResNet-50 at an eighth of its width, for scenes of 128 x 128 pixels with digits 12 to 81 pixels large.
_base_ = './ssdlite_mobilenetv2_digitscenes.py'
model = dict(
    backbone=dict(
        _delete_=True,
        type='attn_plugins.Plugged',
        host='mmseg.ResNetV1c',  # the segmentor's and the classifier's, so that all start from the same weights
        depth=50,
        stem_channels=16,
        base_channels=8,
        out_indices=(2, 3)),
    neck=dict(in_channels=(128, 256), out_channels=(128, 256, 256)),
    bbox_head=dict(in_channels=(128, 256, 256)))
