"""Distillers read from a head what its logits are, or say what to write."""

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import MODELS

from attn_plugins.distillation import distillation_of
from attn_plugins.distillation.logits import Logits, logits_of
from attn_plugins.distillation.losses import KnowledgeDistillation
from attn_plugins.errors import UserError
from tests.distillation.models import boxes, build, classifier, detector, labels, masks, segmentor

KD = dict(type='attn_plugins.KnowledgeDistillation')


def retina(sigmoid: bool = True, classes: int = 3, ratios: tuple = (0.5, 1.0, 2.0)) -> dict:
    """A RetinaNet with several anchors."""
    model = detector()
    loss = dict(type='mmdet.FocalLoss') if sigmoid else dict(type='mmdet.CrossEntropyLoss')
    model['bbox_head'].update(num_classes=classes, loss_cls=dict(loss, use_sigmoid=sigmoid))
    model['bbox_head']['anchor_generator']['ratios'] = list(ratios)
    return model


def several_labels() -> dict:
    """A classifier of images with several labels each."""
    model = classifier()
    model['head'] = dict(type='mmpretrain.MultiLabelLinearClsHead', num_classes=10, in_channels=32)
    model['data_preprocessor']['to_onehot'] = True
    return model


def one_channel() -> dict:
    """A segmentor of one class and its background."""
    model = segmentor()
    loss = dict(type='mmseg.CrossEntropyLoss', use_sigmoid=True)
    model['decode_head'].update(num_classes=2, out_channels=1, threshold=0.5, loss_decode=loss)
    return model


def faster_rcnn() -> ConfigDict:
    """A detector with proposals, on the backbone and neck of the RetinaNet."""
    model = detector()
    anchors = dict(type='mmdet.AnchorGenerator', scales=[4], ratios=[1.0], strides=[16, 32])
    assigner = dict(
        type='mmdet.MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.5, min_pos_iou=0.3, ignore_iof_thr=-1
    )
    sampler = dict(type='mmdet.RandomSampler', num=8, pos_fraction=0.5, add_gt_as_proposals=False)
    proposals = dict(nms_pre=20, max_per_img=8, nms=dict(type='nms', iou_threshold=0.7), min_bbox_size=0)
    rcnn = dict(assigner=assigner, sampler=sampler, pos_weight=-1)
    roi_head = dict(
        type='mmdet.StandardRoIHead',
        bbox_roi_extractor=dict(
            type='mmdet.SingleRoIExtractor',
            roi_layer=dict(type='RoIAlign', output_size=7, sampling_ratio=0),
            out_channels=16,
            featmap_strides=[16, 32],
        ),
        bbox_head=dict(type='mmdet.Shared2FCBBoxHead', in_channels=16, fc_out_channels=8, num_classes=3),
    )
    return ConfigDict(
        type='mmdet.FasterRCNN',
        data_preprocessor=model['data_preprocessor'],
        backbone=model['backbone'],
        neck=model['neck'],
        rpn_head=dict(type='mmdet.RPNHead', in_channels=16, feat_channels=16, anchor_generator=anchors),
        roi_head=roi_head,
        train_cfg=dict(rpn=dict(rcnn, allowed_border=-1), rpn_proposal=proposals, rcnn=rcnn),
        test_cfg=dict(
            rpn=proposals, rcnn=dict(score_thr=0.05, nms=dict(type='nms', iou_threshold=0.5), max_per_img=5)
        ),
    )


@pytest.mark.parametrize(
    ('make', 'path', 'expected'),
    [
        (retina, 'bbox_head.retina_cls', Logits('sigmoid', 3, (3,))),
        (lambda: retina(sigmoid=False), 'bbox_head.retina_cls', Logits('softmax', 4, (3,))),
        (faster_rcnn, 'rpn_head.rpn_cls', Logits('sigmoid', 1, (1,))),
        (faster_rcnn, 'roi_head.bbox_head.fc_cls', None),
        (classifier, 'head.fc', Logits('softmax')),
        (several_labels, 'head.fc', Logits('sigmoid')),
        (segmentor, 'decode_head.conv_seg', Logits('softmax')),
        (one_channel, 'decode_head.conv_seg', Logits('sigmoid')),
    ],
)
def test_what_heads_say(make, path, expected):
    assert logits_of(MODELS.build(make()), path, 'student') == expected


def kd_of(student: dict, teacher: dict, samples: list, logits: str, **options) -> tuple[float, list, list]:
    """The loss, and the logits of student and teacher that it is of."""
    model = build(student, teacher, losses=[KD | options], logits=logits)
    seen = [], []
    for network, maps in zip((model, distillation_of(model).teacher.model), seen, strict=True):
        module = network.get_submodule(logits)
        torch.nn.init.normal_(module.weight)
        module.register_forward_hook(lambda _, args, y, maps=maps: maps.append(y.detach()))
    losses = model(inputs=torch.randn(2, 3, 64, 64), data_samples=samples, mode='loss')
    return losses['loss_kd'].item() / 0.9, *seen


@pytest.mark.parametrize('sigmoid', [True, False])
@pytest.mark.parametrize('classes', [1, 3])
def test_each_anchor_of_a_detector_is_compared_by_its_own_classes(sigmoid, classes):
    samples = boxes()
    for sample in samples:
        sample.gt_instances.labels.clamp_(max=classes - 1)
    found, ours, theirs = kd_of(
        retina(sigmoid, classes), retina(sigmoid, classes), samples, 'bbox_head.retina_cls'
    )
    channels = classes if sigmoid else classes + 1
    loss = KnowledgeDistillation(activation='sigmoid' if sigmoid else 'softmax')
    expected = sum(
        loss(a.unflatten(1, (3, channels))[:, k], b.unflatten(1, (3, channels))[:, k]).item() / 3
        for a, b in zip(ours, theirs, strict=True)
        for k in range(3)
    )
    assert len(ours) == 2 and found == pytest.approx(expected, rel=1e-5) and found > 0.1


@pytest.mark.parametrize(
    ('make', 'samples', 'logits', 'activation'),
    [
        (several_labels, labels, 'head.fc', 'sigmoid'),
        (one_channel, masks, 'decode_head.conv_seg', 'sigmoid'),
        (segmentor, masks, 'decode_head.conv_seg', 'softmax'),
    ],
)
def test_images_and_pixels_with_a_softmax_or_a_sigmoid(make, samples, logits, activation):
    batch = samples(2)
    for sample in batch if make is one_channel else ():
        sample.gt_sem_seg.data.clamp_(max=1)
    found, (ours,), (theirs,) = kd_of(make(), make(), batch, logits)
    assert found == pytest.approx(KnowledgeDistillation(activation=activation)(ours, theirs).item(), rel=1e-5)


@pytest.mark.parametrize(
    ('student', 'teacher', 'logits', 'options', 'sentence'),
    [
        (
            retina,
            lambda: retina(sigmoid=False, classes=8, ratios=[1.0]),
            'bbox_head.retina_cls',
            {},
            "whose head has activation='sigmoid', with the teacher's 'bbox_head.retina_cls', which has "
            "activation='softmax'",
        ),
        (
            retina,
            lambda: retina(classes=9, ratios=[1.0]),
            'bbox_head.retina_cls',
            {},
            'classes=3, .* which has classes=9: take a teacher whose head is alike',
        ),
        (
            retina,
            retina,
            'bbox_head.retina_reg',
            {},
            '12 channels, which are not 3 of each of 3 anchors: name the module',
        ),
        (
            retina,
            retina,
            'neck',
            {},
            "cannot see what the 16 channels of 'neck' are: set its activation to sigmoid or softmax, and classes",
        ),
        (retina, retina, 'neck', dict(activation='softmax'), 'cannot see what the 16 channels'),
        (
            faster_rcnn,
            faster_rcnn,
            'roi_head.bbox_head.fc_cls',
            dict(activation='softmax', classes=4),
            "fc_cls' of the student hands on .* for 2 images: proposals, for one, are not the same",
        ),
    ],
)
def test_what_is_no_distillation_is_refused_in_a_sentence(student, teacher, logits, options, sentence):
    with pytest.raises(UserError, match=sentence):
        model = build(student(), teacher(), losses=[KD | options], logits=logits)
        model(inputs=torch.randn(2, 3, 64, 64), data_samples=boxes(), mode='loss')


def test_what_the_user_says_goes_before_the_head():
    samples = boxes()
    found, ours, theirs = kd_of(
        retina(), retina(), samples, 'bbox_head.retina_cls', activation='softmax', classes=9
    )
    expected = sum(KnowledgeDistillation()(a, b).item() for a, b in zip(ours, theirs, strict=True))
    assert found == pytest.approx(expected, rel=1e-5)
