# The student WRN-10-0.5 learns from a WRN-10-2, or alone (--attention none), on DigitScenes. A suite gives the teacher.
_base_ = [
    '../_base_/transfer/{{$ATTENTION:at}}.py', '../_base_/models/wrn10_digitscenes.py',
    '../_base_/datasets/digitscenes_classification_32.py', '../_base_/schedules/digitscenes_adamw_10e.py',
    '../_base_/runtime_mmpretrain.py'
]
teacher = dict(
    config='configs/wideresnet/wrn10_digitscenes.py', backbone=dict(widen_factor=2), head=dict(in_channels=128))
model = dict(
    _delete_=True, type='attn_plugins.Distiller', student={{_base_.model}}, teacher=teacher, losses={{_base_.losses}},
    pairs=['backbone.layer1', 'backbone.layer2', 'backbone.layer3'], logits='head.fc')
custom_hooks = [dict(type='attn_plugins.ChannelsLastHook'), dict(type='attn_plugins.DistillationHook')]
