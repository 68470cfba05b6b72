# Classifies the crops of DigitScenes of 64 x 64 pixels; the detector and the segmentor of the demo start from this backbone.
_base_ = [
    '../_base_/attention/{{$ATTENTION:none}}.py', '../_base_/models/resnet8_digitscenes64.py',
    '../_base_/datasets/digitscenes64_classification.py', '../_base_/schedules/digitscenes64_8e.py',
    '../_base_/runtime_mmpretrain.py'
]
model = dict(backbone=dict(plugins={{_base_.attention}}))
