# DeepLabV3 on MobileNetV2 learns from one on ResNet-50, both at stride 8. Not published.
_base_ = [
    '../_base_/transfer/{{$ATTENTION:at}}.py', '../_base_/models/deeplabv3_mobilenetv2.py',
    '../_base_/datasets/cityscapes_512x1024.py', '../_base_/schedules/seg_80k_light.py',
    '../_base_/runtime_mmseg_by_iteration.py'
]
model = dict(
    _delete_=True, type='attn_plugins.Distiller', student={{_base_.model}}, losses={{_base_.losses}},
    pairs=[['backbone.layer5', 'backbone.layer3'], ['backbone.layer7', 'backbone.layer4']], logits='decode_head.conv_seg',
    teacher=dict(
        config='configs/deeplabv3/deeplabv3_r50-d8_4xb2-80k_cityscapes-512x1024.py',
        init_cfg=dict(type='Pretrained', checkpoint='work_dirs/deeplabv3_r50-d8_4xb2-80k_cityscapes-512x1024/iter_80000.pth')))
custom_hooks = [dict(type='attn_plugins.DistillationHook')]
