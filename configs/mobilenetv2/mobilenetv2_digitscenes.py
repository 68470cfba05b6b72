# Classifies the crops of DigitScenes; detectors and segmentors of the demo start from this backbone.
_base_ = [
    '../_base_/attention/{{$ATTENTION:none}}.py', '../_base_/models/mobilenetv2_digitscenes.py',
    '../_base_/datasets/digitscenes_classification.py', '../_base_/schedules/digitscenes_adamw_8e.py',
    '../_base_/runtime_mmpretrain.py'
]
model = dict(
    backbone=dict(
        plugins={{_base_.attention}}, place=dict(position='after_depthwise', stages=(False, ) + (True, ) * 6)))
