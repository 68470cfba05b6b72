# Separable ASPP, as the article of Coordinate Attention has it and its parameter counts do not; otherwise as
# deeplabv3_mobilenetv2-d8_4xb2-80k_cityscapes-512x1024.py.
_base_ = [
    '../_base_/attention/{{$ATTENTION:none}}.py', '../_base_/models/deeplabv3_mobilenetv2.py',
    '../_base_/datasets/cityscapes_512x1024.py', '../_base_/schedules/seg_80k_light.py',
    '../_base_/runtime_mmseg_by_iteration.py'
]
model = dict(backbone=dict(plugins={{_base_.attention}}), decode_head=dict(separable=True))
