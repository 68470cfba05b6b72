# Detects the digits of DigitScenes on a narrow ResNet-50; the study of spatial attention takes it.
_base_ = [
    '../_base_/attention/{{$ATTENTION:none}}.py', '../_base_/models/ssdlite_r50_digitscenes.py',
    '../_base_/datasets/digitscenes_detection.py', '../_base_/schedules/digitscenes_adamw_4e.py',
    '../_base_/runtime_mmdet.py'
]
model = dict(backbone=dict(plugins={{_base_.attention}}, place=dict(position='after_conv2')))
