# FCN-ResNet-50, plain, output stride 8: CCNet without its criss-cross attention. mmseg's fcn_r50-d8_4xb2-80k_cityscapes-512x1024:
# 4 GPUs, this schedule, from ImageNet weights. Counted: 49,497,734.
_base_ = [
    '../_base_/attention/{{$ATTENTION:none}}.py', '../_base_/models/fcn_r50.py',
    '../_base_/datasets/cityscapes_512x1024.py', '../_base_/schedules/seg_80k.py',
    '../_base_/runtime_mmseg_by_iteration.py'
]
model = dict(backbone=dict(plugins={{_base_.attention}}))
