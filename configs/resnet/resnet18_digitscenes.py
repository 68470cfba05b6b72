# Classifies the crops of DigitScenes; the ResNet-18 segmentor starts from this backbone.
_base_ = [
    '../_base_/attention/{{$ATTENTION:none}}.py', '../_base_/models/resnet18_digitscenes.py',
    '../_base_/datasets/digitscenes_classification.py', '../_base_/schedules/digitscenes_adamw_8e.py',
    '../_base_/runtime_mmpretrain.py'
]
model = dict(backbone=dict(plugins={{_base_.attention}}, place=dict(position='after_conv2')))
