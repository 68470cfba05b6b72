# ResNet-50 with SE, r=16. Published: 77.63 % top-1 on ImageNet-1k val (github.com/hujie-frank/SENet, README, commit
# 0262d43, re-trained by the authors for longer; hardware not published). Counted: 28,088,024. Trained with the schedule of
# resnet50_8xb32_in1k.py, so that the two compare: their number used another.
_base_ = [
    '../_base_/attention/se.py', '../_base_/models/resnet50.py',
    '../_base_/datasets/imagenet_224.py', '../_base_/schedules/imagenet_100e.py', '../_base_/runtime_mmpretrain.py'
]
model = dict(backbone=dict(plugins={{_base_.attention}}))
