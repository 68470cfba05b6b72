# Segments the digits of DigitScenes of 64 x 64 pixels.
_base_ = [
    '../_base_/attention/{{$ATTENTION:none}}.py', '../_base_/models/fcn_resnet8_digitscenes64.py',
    '../_base_/datasets/digitscenes64_segmentation.py', '../_base_/schedules/digitscenes64_6e.py',
    '../_base_/runtime_mmseg.py'
]
model = dict(backbone=dict(plugins={{_base_.attention}}))
