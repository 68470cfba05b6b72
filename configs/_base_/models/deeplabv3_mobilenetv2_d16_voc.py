# DeepLabV3 on MobileNetV2 at output stride 16, rates 6, 12, 18, for the 21 classes of VOC 2012, crops of 512 x 512 pixels.
_base_ = './deeplabv3_mobilenetv2_voc.py'
model = dict(
    backbone=dict(strides=(1, 2, 2, 2, 1, 1, 1), dilations=(1, 1, 1, 1, 1, 2, 2)),
    decode_head=dict(dilations=(1, 6, 12, 18)))
