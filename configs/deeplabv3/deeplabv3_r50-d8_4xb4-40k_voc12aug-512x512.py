# DeepLabV3-ResNet-50, plain, output stride 8. Published: 77.68 mIoU on VOC 2012 val (mmseg 1.2,
# deeplabv3_r50-d8_4xb4-40k_voc12aug-512x512), 4 GPUs, this schedule, from ImageNet weights. Counted: 68,114,570.
_base_ = [
    '../_base_/attention/{{$ATTENTION:none}}.py', '../_base_/models/deeplabv3_r50.py',
    '../_base_/datasets/voc12aug_512x512.py', '../_base_/schedules/seg_40k.py', '../_base_/runtime_mmseg_by_iteration.py'
]
model = dict(
    data_preprocessor=dict(size=(512, 512)),
    backbone=dict(plugins={{_base_.attention}}),
    decode_head=dict(num_classes=21),
    auxiliary_head=dict(num_classes=21))
