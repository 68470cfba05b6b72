# Segments the digits of DigitScenes.
_base_ = [
    '../_base_/attention/{{$ATTENTION:none}}.py', '../_base_/models/deeplabv3_mobilenetv2_digitscenes.py',
    '../_base_/datasets/digitscenes_segmentation.py', '../_base_/schedules/digitscenes_adamw_4e.py',
    '../_base_/runtime_mmseg.py'
]
model = dict(
    backbone=dict(
        plugins={{_base_.attention}}, place=dict(position='after_depthwise', stages=(False, ) + (True, ) * 6)))
