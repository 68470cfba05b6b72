# DeepLabV3 on MobileNetV2 at output stride 8 for the 21 classes of VOC 2012, crops of 512 x 512 pixels.
_base_ = './deeplabv3_mobilenetv2.py'
model = dict(data_preprocessor=dict(size=(512, 512)), decode_head=dict(num_classes=21))
