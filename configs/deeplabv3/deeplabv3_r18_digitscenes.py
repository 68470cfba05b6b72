# Segments the digits of DigitScenes with a small ResNet-18.
_base_ = [
    '../_base_/attention/{{$ATTENTION:none}}.py', '../_base_/models/deeplabv3_r18_digitscenes.py',
    '../_base_/datasets/digitscenes_segmentation.py', '../_base_/schedules/digitscenes_adamw_4e.py',
    '../_base_/runtime_mmseg.py'
]
model = dict(backbone=dict(plugins={{_base_.attention}}, place=dict(position='after_conv2')))
