# SSDLite320 on MobileNeXt as in the authors' experiments (Andrew-Qibin/ssdlite-pytorch-mobilenext, commit 6219e33,
# configs/mobilenext_ssd320_coco.yaml): the levels before the last depthwise convolutions of two blocks, extra ones that
# begin with theirs.
_base_ = './ssdlite_mobilenetv2.py'
# The first blocks of five stages have no first depthwise convolution.
stages = (True, True, *[(False, True, True)] * 2, *[(False, True, True, True)] * 2, (False, True, True), True)
model = dict(
    backbone=dict(
        host='attn_plugins.MobileNeXt',
        out_indices=(7, ),
        expanded_out_indices=(5, 7),
        place=dict(stages=stages)),
    neck=dict(
        block='sandglass',
        start_is_level=False,
        in_channels=(576, 1280, 1280),
        out_channels=(512, 256, 256, 128),
        expand_ratios=(0.2, 0.25, 0.5, 0.5)),
    bbox_head=dict(in_channels=(576, 1280, 512, 256, 256, 128)))
