# EfficientNet-B0, whose blocks have SE of their own, trained as the others of Coordinate Attention's comparison. Presets
# take the place of that SE; `--attention ca` is the article's EfficientNet-B0 + CA.
_base_ = [
    '../_base_/attention/{{$ATTENTION:none}}.py', '../_base_/models/efficientnet_b0.py',
    '../_base_/datasets/imagenet_224.py', '../_base_/schedules/imagenet_200e.py', '../_base_/runtime_mmpretrain.py'
]
model = dict(backbone=dict(plugins={{_base_.attention}}))
train_dataloader = dict(batch_size=64)
