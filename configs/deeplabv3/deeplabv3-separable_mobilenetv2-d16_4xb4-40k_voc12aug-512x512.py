# Separable ASPP, as the article of Coordinate Attention has it and its parameter counts do not; otherwise as
# deeplabv3_mobilenetv2-d16_4xb4-40k_voc12aug-512x512.py.
_base_ = [
    '../_base_/attention/{{$ATTENTION:none}}.py', '../_base_/models/deeplabv3_mobilenetv2_d16_voc.py',
    '../_base_/datasets/voc12aug_512x512.py', '../_base_/schedules/seg_40k_light.py',
    '../_base_/runtime_mmseg_by_iteration.py'
]
model = dict(backbone=dict(plugins={{_base_.attention}}), decode_head=dict(separable=True))
