# SSDLite320 on MobileNetV2 at half its width.
_base_ = './ssdlite_mobilenetv2.py'
model = dict(
    backbone=dict(widen_factor=0.5), neck=dict(in_channels=(48, 1280)),
    bbox_head=dict(in_channels=(48, 1280, 512, 256, 256, 64)))
