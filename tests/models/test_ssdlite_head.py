"""SSDLiteHead: it predicts, its two losses are the published ones, and training with each finds the boxes."""

import math

import pytest
import torch
from mmdet.models.dense_heads import SSDHead
from mmdet.structures.bbox import bbox_overlaps
from mmengine import ConfigDict
from mmengine.structures import InstanceData
from torch import nn
from torchvision.ops import sigmoid_focal_loss

from attn_plugins.models.ssdlite_head import SSDLiteHead

SOFTMAX = dict(type='mmdet.CrossEntropyLoss')
FOCAL = dict(type='mmdet.FocalLoss', gamma=2.0, alpha=0.25, loss_weight=5.0)
LOSSES = {
    'softmax': dict(loss_cls=SOFTMAX),
    'focal': dict(loss_cls=FOCAL),
    'focal_with_background': dict(loss_cls=FOCAL, background_output=True),
}
SIZE = 64


def make_head(num_classes=3, **options):
    head = SSDLiteHead(
        num_classes=num_classes,
        in_channels=(16, 24),
        norm_cfg=dict(type='BN'),
        act_cfg=dict(type='ReLU6'),
        anchor_generator=dict(
            type='SSDAnchorGenerator',
            scale_major=False,
            strides=[8, 16],
            ratios=[[2], [2]],
            min_sizes=[12, 24],
            max_sizes=[24, 48],
        ),
        bbox_coder=dict(type='DeltaXYWHBBoxCoder', target_means=[0.0] * 4, target_stds=[0.1, 0.1, 0.2, 0.2]),
        train_cfg=ConfigDict(
            assigner=dict(
                type='MaxIoUAssigner',
                pos_iou_thr=0.5,
                neg_iou_thr=0.5,
                min_pos_iou=0.0,
                gt_max_assign_all=False,
            ),
            smoothl1_beta=1.0,
            allowed_border=-1,
            pos_weight=-1,
            neg_pos_ratio=3,
        ),
        test_cfg=ConfigDict(
            nms_pre=200,
            nms=dict(type='nms', iou_threshold=0.5),
            min_bbox_size=0,
            score_thr=0.02,
            max_per_img=50,
        ),
        init_cfg=dict(type='Xavier', layer='Conv2d', distribution='uniform'),
        **options,
    )
    head.init_weights()
    return head


def features(batch=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randn(batch, 16, 8, 8, generator=generator),
        torch.randn(batch, 24, 4, 4, generator=generator),
    )


def metas(batch=2):
    return [
        dict(img_shape=(SIZE, SIZE), ori_shape=(SIZE, SIZE), scale_factor=(1.0, 1.0), pad_shape=(SIZE, SIZE))
    ] * batch


def instances(boxes, labels):
    return InstanceData(
        bboxes=torch.tensor(boxes).reshape(-1, 4), labels=torch.tensor(labels, dtype=torch.long)
    )


@pytest.mark.parametrize('options', LOSSES.values(), ids=LOSSES)
def test_predicts_on_random_input(options):
    head = make_head(**options).eval()
    for conv in (
        head.cls_convs.modules()
    ):  # Scores away from the start, where the focal loss has all of them at 0.01.
        if isinstance(conv, nn.Conv2d):
            nn.init.normal_(conv.weight, std=0.5)
    results = head.predict_by_feat(*head(features()), batch_img_metas=metas(), rescale=True)
    assert len(results) == 2
    for result in results:
        assert len(result.bboxes) == len(result.scores) == len(result.labels) > 0
        assert int(result.labels.min()) >= 0 and int(result.labels.max()) < 3
        assert float(result.scores.min()) > 0.02 and float(result.scores.max()) <= 1


@pytest.mark.parametrize('name', LOSSES)
def test_scores_are_those_of_the_loss(name):
    """One prior stands out; its score is the softmax over all outputs or the sigmoid of its own."""
    head = make_head(**LOSSES[name]).eval()
    outputs = head.cls_out_channels
    logits = torch.full((outputs,), -9.0)
    logits[1] = 1.5
    if outputs > 3:
        logits[-1] = 2.0  # Background: a competitor in softmax, unused in focal, and never a label.
    scores = [torch.full((1, 4 * outputs, size, size), -9.0) for size in (8, 4)]
    if name == 'softmax':
        for level in scores:
            level[:, outputs - 1 :: outputs] = 9.0
    scores[0][0, :outputs, 3, 5] = logits
    deltas = [torch.zeros(1, 16, size, size) for size in (8, 4)]
    (result,) = head.predict_by_feat(scores, deltas, batch_img_metas=metas(1))
    expected = logits.softmax(0)[1] if name == 'softmax' else logits[1].sigmoid()
    assert result.labels.tolist() == [1]
    torch.testing.assert_close(result.scores, expected[None])
    torch.testing.assert_close(
        result.bboxes, torch.tensor([[38.0, 22.0, 50.0, 34.0]])
    )  # 12 px around (44, 28)


def single_loss(head, logits, labels, avg_factor, weights=None):
    count = len(labels)
    zeros = torch.zeros(count, 4)
    weights = torch.ones(count) if weights is None else weights
    loss_cls, loss_bbox = head.loss_by_feat_single(
        logits,
        zeros + 0.5,
        zeros,
        labels,
        weights,
        zeros,
        (labels < head.num_classes).float()[:, None].expand(-1, 4),
        avg_factor,
    )
    return loss_cls.item(), loss_bbox.item()


def test_softmax_loss_by_hand():
    """One positive and the three worst of five negatives, over one positive."""
    head = make_head(num_classes=1)
    # Two outputs (class, background); a negative with logits (a, 0) loses log(1 + e^a).
    negatives = [2.0, -1.0, 1.0, 0.0, -3.0]
    logits = torch.tensor([[0.3, 0.0]] + [[a, 0.0] for a in negatives])
    labels = torch.tensor([0, 1, 1, 1, 1, 1])
    expected = math.log(1 + math.exp(-0.3)) + sum(math.log(1 + math.exp(a)) for a in (2.0, 1.0, 0.0))
    loss_cls, loss_bbox = single_loss(head, logits, labels, avg_factor=1)
    assert loss_cls == pytest.approx(expected, rel=1e-5)
    assert loss_bbox == pytest.approx(
        4 * 0.5 * 0.5**2, rel=1e-6
    )  # smooth L1 of 0.5, four coordinates of one positive
    # A prior of weight 0 is ignored: without the worst negative, the next one takes its place.
    weights = torch.tensor([1.0, 0.0, 1.0, 1.0, 1.0, 1.0])
    expected = math.log(1 + math.exp(-0.3)) + sum(math.log(1 + math.exp(a)) for a in (1.0, 0.0, -1.0))
    assert single_loss(head, logits, labels, 1, weights)[0] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize('background_output', [False, True])
def test_focal_loss_by_hand(background_output):
    """5 * sum of -alpha_t (1 - p_t)^2 log p_t over every output of every prior, over the positives."""
    head = make_head(num_classes=2, loss_cls=FOCAL, background_output=background_output)
    logits = torch.tensor([[0.4, -1.2, 0.7], [-0.5, 2.0, 0.1], [-2.0, 0.3, -0.6]])[
        :, : 3 if background_output else 2
    ]
    labels = torch.tensor([0, 1, 2])  # the last is background
    expected = 0.0
    for row, label in zip(logits.tolist(), labels.tolist(), strict=True):
        for output, logit in enumerate(row):
            p = 1 / (1 + math.exp(-logit))
            positive = output == label and label != 2  # output 2 is the background output: never positive
            expected -= 0.25 * (1 - p) ** 2 * math.log(p) if positive else 0.75 * p**2 * math.log(1 - p)
    assert single_loss(head, logits, labels, avg_factor=2)[0] == pytest.approx(5 * expected / 2, rel=1e-5)


def test_focal_loss_equals_torchvision():
    generator = torch.Generator().manual_seed(1)
    logits, labels = torch.randn(50, 7, generator=generator), torch.randint(8, (50,), generator=generator)
    targets = nn.functional.one_hot(labels, 8)[:, :7].float()
    expected = 5 * sigmoid_focal_loss(logits, targets, alpha=0.25, gamma=2, reduction='sum') / 13
    assert single_loss(make_head(7, loss_cls=FOCAL), logits, labels, 13)[0] == pytest.approx(
        expected.item(), rel=1e-5
    )


class Detector(nn.Module):
    """Enough of a network to memorise one batch."""

    def __init__(self, **options):
        super().__init__()

        def stage(channels_in, channels_out):
            return nn.Sequential(
                nn.Conv2d(channels_in, channels_out, 3, 2, 1), nn.BatchNorm2d(channels_out), nn.ReLU()
            )

        self.to_8 = nn.Sequential(stage(3, 16), stage(16, 16), stage(16, 16))
        self.to_16 = stage(16, 24)
        self.head = make_head(**options)

    def forward(self, images):
        fine = self.to_8(images)
        return self.head((fine, self.to_16(fine)))


@pytest.mark.parametrize('options', LOSSES.values(), ids=LOSSES)
def test_one_batch_is_learned_and_its_boxes_found(options):
    torch.manual_seed(0)
    model = Detector(**options)
    truth = [
        instances([[6.0, 8.0, 26.0, 24.0], [34.0, 30.0, 60.0, 58.0]], [0, 2]),
        instances([[20.0, 4.0, 50.0, 30.0]], [1]),
    ]
    images = torch.randn(2, 3, SIZE, SIZE) * 0.1
    for image, boxes in zip(images, truth, strict=True):
        for (x1, y1, x2, y2), label in zip(boxes.bboxes.int().tolist(), boxes.labels.tolist(), strict=True):
            image[label, y1:y2, x1:x2] += 1
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    history = []
    for _ in range(120):
        losses = model.head.loss_by_feat(*model(images), truth, metas())
        loss = sum(sum(value) for value in losses.values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    assert history[-1] < 0.1 * history[0]
    model.eval()
    with torch.no_grad():
        results = model.head.predict_by_feat(*model(images), batch_img_metas=metas())
    for result, boxes in zip(results, truth, strict=True):
        best = result[: len(boxes)]  # sorted by score
        assert sorted(best.labels.tolist()) == sorted(boxes.labels.tolist())
        for box, label in zip(boxes.bboxes, boxes.labels, strict=True):
            assert bbox_overlaps(best.bboxes[best.labels == label], box[None]).max() > 0.5


@pytest.mark.parametrize('options', LOSSES.values(), ids=LOSSES)
@pytest.mark.parametrize(
    'boxes', [[], [[10.0, 10.0, 34.0, 40.0]]], ids=['no_box_at_all', 'one_image_without']
)
def test_gradients_are_finite_without_boxes(options, boxes):
    model = Detector(**options)
    truth = [instances([], []), instances(boxes, [1] * len(boxes))]
    losses = model.head.loss_by_feat(*model(torch.randn(2, 3, SIZE, SIZE)), truth, metas())
    sum(sum(value) for value in losses.values()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), name
    assert (model.head.cls_convs[0][-1].weight.grad.abs().sum() > 0) == (
        bool(boxes) or 'FocalLoss' in str(options)
    )


def test_every_focal_score_starts_at_one_percent():
    scores, _ = make_head(loss_cls=FOCAL).eval()(features())
    for score in scores:
        torch.testing.assert_close(score.sigmoid(), torch.full_like(score, 0.01), rtol=0.5, atol=0)
    scores, _ = make_head().eval()(features())
    assert scores[0].std() > 0.1  # softmax keeps what `init_cfg` says


def test_state_dict_is_that_of_mmdet():
    """Weights trained with mmdet's SSDLite load."""
    ours = make_head()
    theirs = SSDHead(
        num_classes=3,
        in_channels=(16, 24),
        use_depthwise=True,
        norm_cfg=dict(type='BN'),
        act_cfg=dict(type='ReLU6'),
        anchor_generator=dict(
            type='SSDAnchorGenerator',
            scale_major=False,
            strides=[8, 16],
            ratios=[[2], [2]],
            min_sizes=[12, 24],
            max_sizes=[24, 48],
        ),
    )
    ours.load_state_dict(theirs.state_dict(), strict=True)
    for a, b in zip(ours.eval()(features()), theirs.eval()(features()), strict=True):
        torch.testing.assert_close(a, b)


def test_options_of_the_focal_experiments_change_what_they_say():
    plain = make_head(
        num_classes=3, last_level_plain=True, depthwise_bias=True, loss_cls=FOCAL, background_output=True
    )
    counts = [sum(p.numel() for p in branch.parameters()) for branch in plain.cls_convs]
    # 9 weights, bias, and batch norm's two per channel; then 4 priors x (3 classes + 1).
    assert counts == [16 * (9 + 1 + 2) + 16 * 16 + 16, 24 * 16 + 16]
    assert [name for name, _ in plain.cls_convs[1].named_parameters()] == ['0.weight', '0.bias']


@pytest.mark.parametrize(
    ('options', 'advice'),
    [
        (dict(loss_cls=dict(type='mmdet.CrossEntropyLoss', use_sigmoid=True)), 'mmdet.FocalLoss'),
        (dict(loss_cls=dict(type='mmdet.GHMC')), 'mmdet.FocalLoss'),
        (dict(background_output=True), 'leave the option out'),
    ],
)
def test_what_cannot_be_trained_is_refused(options, advice):
    with pytest.raises(ValueError, match=advice):
        make_head(**options)
