# SSDLite320-MobileNetV2 of the Coordinate Attention experiments on mmdet's schedule. mmdet's own SSDLite, built and
# started otherwise, has 21.3 AP on it (mmdet 3.3, ssdlite_mobilenetv2-scratch_8xb24-600e_coco).
_base_ = [
    '../_base_/attention/{{$ATTENTION:none}}.py', '../_base_/models/ssdlite_mobilenetv2.py',
    '../_base_/datasets/coco_ssdlite320_5x.py', '../_base_/schedules/ssdlite_600e.py', '../_base_/runtime_mmdet.py'
]
model = dict(backbone=dict(plugins={{_base_.attention}}))
