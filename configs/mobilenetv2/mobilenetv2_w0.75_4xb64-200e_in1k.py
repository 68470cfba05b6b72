# MobileNetV2 at width 0.75, plain, trained as mobilenetv2_4xb64-200e_in1k.py.
_base_ = [
    '../_base_/attention/{{$ATTENTION:none}}.py', '../_base_/models/mobilenetv2.py',
    '../_base_/datasets/imagenet_224.py', '../_base_/schedules/imagenet_200e.py', '../_base_/runtime_mmpretrain.py'
]
model = dict(backbone=dict(widen_factor=0.75, plugins={{_base_.attention}}))
train_dataloader = dict(batch_size=64)
