# Classifies the crops of DigitScenes at the size of CIFAR; teachers of the attention transfer's offline form take it.
_base_ = [
    '../_base_/attention/{{$ATTENTION:none}}.py', '../_base_/models/wrn10_digitscenes.py',
    '../_base_/datasets/digitscenes_classification_32.py', '../_base_/schedules/digitscenes_adamw_10e.py',
    '../_base_/runtime_mmpretrain.py'
]
model = dict(backbone=dict(plugins={{_base_.attention}}))
