# As resnet20_digitscenes.py, with images of another distribution in every training batch, which pollute its statistics.
_base_ = [
    '../_base_/attention/{{$ATTENTION:none}}.py', '../_base_/models/resnet20_digitscenes.py',
    '../_base_/datasets/digitscenes_classification_32_mixed.py', '../_base_/schedules/digitscenes_adamw_10e.py',
    '../_base_/runtime_mmpretrain.py'
]
model = dict(type='attn_plugins.MixedDataClassifier', backbone=dict(plugins={{_base_.attention}}))
