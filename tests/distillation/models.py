"""Small students and teachers of the three libraries, and a batch for each."""

import torch
from mmdet.structures import DetDataSample
from mmengine.registry import MODELS
from mmengine.structures import InstanceData, PixelData
from mmpretrain.structures import DataSample
from mmseg.structures import SegDataSample

from attn_plugins.training.library import register

PAIRS = ['backbone.layer1', 'backbone.layer2', 'backbone.layer3']
PREPROCESSOR = dict(mean=[100.0] * 3, std=[70.0] * 3)

for library in ('mmpretrain', 'mmdet', 'mmseg'):
    register(library)


def classifier(width: float = 0.5, depth: int = 10, **backbone) -> dict:
    """A Wide ResNet."""
    channels = round(64 * width)
    return dict(
        type='mmpretrain.ImageClassifier',
        backbone=dict(type='attn_plugins.WideResNet', depth=depth, widen_factor=width, **backbone),
        neck=dict(type='mmpretrain.GlobalAveragePooling'),
        head=dict(
            type='mmpretrain.LinearClsHead',
            num_classes=10,
            in_channels=channels,
            loss=dict(type='mmpretrain.CrossEntropyLoss'),
        ),
        data_preprocessor=dict(type='mmpretrain.ClsDataPreprocessor', num_classes=10, **PREPROCESSOR),
    )


def detector(depth: int = 18) -> dict:
    """A RetinaNet on a narrow ResNet."""
    return dict(
        type='mmdet.RetinaNet',
        data_preprocessor=dict(type='mmdet.DetDataPreprocessor', pad_size_divisor=32, **PREPROCESSOR),
        backbone=dict(
            type='mmpretrain.ResNet', depth=depth, stem_channels=8, base_channels=8, out_indices=(2, 3)
        )
        if depth < 50
        else dict(type='mmdet.ResNet', depth=depth, stem_channels=8, base_channels=8, out_indices=(2, 3)),
        neck=dict(
            type='mmdet.FPN', in_channels=[32, 64] if depth < 50 else [128, 256], out_channels=16, num_outs=2
        ),
        bbox_head=dict(
            type='mmdet.RetinaHead',
            num_classes=3,
            in_channels=16,
            stacked_convs=1,
            feat_channels=16,
            anchor_generator=dict(
                type='mmdet.AnchorGenerator',
                octave_base_scale=4,
                scales_per_octave=1,
                ratios=[1.0],
                strides=[16, 32],
            ),
            bbox_coder=dict(type='mmdet.DeltaXYWHBBoxCoder'),
            loss_cls=dict(type='mmdet.FocalLoss'),
            loss_bbox=dict(type='mmdet.L1Loss'),
        ),
        train_cfg=dict(
            assigner=dict(type='mmdet.MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.4, min_pos_iou=0),
            sampler=dict(type='mmdet.PseudoSampler'),
            allowed_border=-1,
            pos_weight=-1,
        ),
        test_cfg=dict(nms_pre=10, score_thr=0.05, nms=dict(type='nms', iou_threshold=0.5), max_per_img=5),
    )


def segmentor(depth: int = 18) -> dict:
    """An FCN on a narrow ResNet."""
    channels = 64 if depth < 50 else 256
    return dict(
        type='mmseg.EncoderDecoder',
        data_preprocessor=dict(type='mmseg.SegDataPreProcessor', size=(64, 64), **PREPROCESSOR),
        backbone=dict(
            type='mmseg.ResNetV1c', depth=depth, stem_channels=8, base_channels=8, out_indices=(3,)
        ),
        decode_head=dict(
            type='mmseg.FCNHead',
            in_channels=channels,
            in_index=0,
            channels=8,
            num_convs=1,
            num_classes=3,
            norm_cfg=dict(type='BN'),
            loss_decode=dict(type='mmseg.CrossEntropyLoss', avg_non_ignore=True),
        ),
        train_cfg=dict(),
        test_cfg=dict(mode='whole'),
    )


def labels(count: int = 4) -> list[DataSample]:
    """Samples of a classifier."""
    return [DataSample().set_gt_label(i % 10) for i in range(count)]


def boxes(count: int = 2) -> list[DetDataSample]:
    """Samples of a detector, a box each."""
    samples = []
    for i in range(count):
        sample = DetDataSample(
            metainfo=dict(
                img_shape=(64, 64), pad_shape=(64, 64), batch_input_shape=(64, 64), scale_factor=(1.0, 1.0)
            )
        )
        sample.gt_instances = InstanceData(
            bboxes=torch.tensor([[8.0, 8.0, 56.0, 56.0]]), labels=torch.tensor([i % 3])
        )
        samples.append(sample)
    return samples


def masks(count: int = 2) -> list[SegDataSample]:
    """Samples of a segmentor."""
    samples = []
    for _ in range(count):
        sample = SegDataSample()
        sample.gt_sem_seg = PixelData(data=torch.randint(0, 3, (1, 64, 64)))
        samples.append(sample)
    return samples


def build(student: dict, teacher: dict | None = None, **options):
    """A student with its teacher ready, as the hook leaves it before an iteration in the middle of a training."""
    from attn_plugins.distillation import distillation_of

    torch.manual_seed(0)
    model = MODELS.build(
        dict(type='attn_plugins.Distiller', student=student, teacher=teacher, random_teacher=True, **options)
    )
    made = distillation_of(model)
    if teacher is not None:
        made.make_teacher(model)
    made.at(10, 100, 10)
    return model.train()
