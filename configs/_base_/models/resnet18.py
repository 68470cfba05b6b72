# ResNet-18 classifying 1000 classes, as mmpretrain's. A leaf gives the depth of ResNet-34.
_base_ = './resnet50.py'
model = dict(backbone=dict(depth=18, place=dict(position='after_conv2')), head=dict(in_channels=512))
