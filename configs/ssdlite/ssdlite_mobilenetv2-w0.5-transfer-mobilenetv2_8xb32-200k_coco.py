# SSDLite320 on MobileNetV2 at half its width learns from the one at full width, where the backbone hands on and in the
# levels behind it. Not published.
_base_ = [
    '../_base_/transfer/{{$ATTENTION:at}}.py', '../_base_/models/ssdlite_mobilenetv2_w0.5.py',
    '../_base_/datasets/coco_ssdlite320.py', '../_base_/schedules/ssdlite_200k.py',
    '../_base_/runtime_mmdet_by_iteration.py'
]
model = dict(
    _delete_=True, type='attn_plugins.Distiller', student={{_base_.model}}, losses={{_base_.losses}},
    pairs=['neck'],
    teacher=dict(
        config='configs/ssdlite/ssdlite_mobilenetv2_8xb32-200k_coco.py',
        init_cfg=dict(type='Pretrained', checkpoint='work_dirs/ssdlite_mobilenetv2_8xb32-200k_coco/iter_200000.pth')))
custom_hooks = [dict(type='attn_plugins.DistillationHook')]
