"""SSDLite head that trains and predicts, with either of the two losses in use (Sandler et al., MobileNetV2, CVPR 2018).

mmdet's own `SSDHead` trains, but from 3.2 on it raises an AttributeError at the first prediction, and it supports only
the softmax loss. The focal form is that of the SSDLite320 experiments of Coordinate Attention
(https://github.com/Andrew-Qibin/ssdlite-pytorch-mobilenext, commit 6219e33).
"""

import torch
from mmcv.cnn import ConvModule
from mmdet.models.dense_heads import SSDHead
from mmdet.models.losses import smooth_l1_loss
from mmdet.registry import MODELS as MMDET_MODELS
from mmengine.model import bias_init_with_prob, normal_init
from torch import Tensor, nn
from torch.nn import functional as F

from attn_plugins.registry import MODELS


@MODELS.register_module()
class SSDLiteHead(SSDHead):
    """One depthwise 3x3 and one 1x1 convolution per level, for classes and for boxes.

    Two classification losses, chosen by `loss_cls`:

    * softmax (default): cross-entropy over classes and background, on every positive prior and, per image, on the
      `train_cfg.neg_pos_ratio` times as many negatives of the largest loss (SSD's hard negative mining);
    * sigmoid: mmdet's `FocalLoss` over all priors, divided by the number of positive ones. It runs in its PyTorch form
      on every device, so it needs no compiled operator of mmcv. The convolutions of the class branches start at
      N(0, 0.01), with biases such that every score starts at 0.01.

    The box loss is smooth L1 on the positives in both. Class indices are mmdet's: 0 to `num_classes - 1`, and
    `num_classes` is background.

    Args:
        num_classes (int): Number of object classes, background not counted.
        in_channels (Sequence[int]): Channels of each level.
        loss_cls (dict): `dict(type='mmdet.CrossEntropyLoss')`, or `dict(type='mmdet.FocalLoss', gamma=2.0,
            alpha=0.25, loss_weight=5.0)`; other types are refused.
        background_output (bool): With the sigmoid loss only: keep one output more than there are classes. No prior is
            ever a positive of it and prediction ignores it. The focal experiments named above have it (81 outputs on
            COCO), and with it the parameter count is theirs. Softmax always has its background output.
        last_level_plain (bool): The last level, 1x1 pixels large, has a 1x1 convolution alone, as in the experiments
            named above. mmdet's SSDLite has the depthwise convolution there too.
        depthwise_bias (bool): Depthwise convolutions have a bias although batch norm follows, as in those experiments.
        anchor_generator, bbox_coder, norm_cfg, act_cfg, train_cfg, test_cfg, init_cfg: As in mmdet's `SSDHead`.

    Shapes:
        Input: one (N, C_l, H_l, W_l) map per level. Output of `forward`: per level (N, A_l * K, H_l, W_l) class logits
        and (N, A_l * 4, H_l, W_l) box deltas, with A_l priors per location and K = `cls_out_channels`.

    Raises:
        ValueError: for a loss that is neither of the two, and for `background_output` with the softmax loss.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels,
        loss_cls: dict | None = None,
        background_output: bool = False,
        last_level_plain: bool = False,
        depthwise_bias: bool = False,
        **kwargs,
    ) -> None:
        loss_cls = dict(loss_cls or dict(type='mmdet.CrossEntropyLoss'))
        kind = str(loss_cls['type']).rsplit('.', 1)[-1]
        if kind not in ('CrossEntropyLoss', 'FocalLoss') or (
            kind == 'CrossEntropyLoss' and loss_cls.get('use_sigmoid', False)
        ):
            raise ValueError(
                f"SSDLiteHead cannot train with loss_cls={loss_cls}: give dict(type='mmdet.CrossEntropyLoss') for "
                "softmax with hard negatives or dict(type='mmdet.FocalLoss') for sigmoid focal loss."
            )
        if background_output and kind != 'FocalLoss':
            raise ValueError(
                'background_output=True is for the sigmoid focal loss; the softmax loss always has a '
                'background output, so leave the option out.'
            )
        self.last_level_plain = last_level_plain
        self.depthwise_bias = depthwise_bias
        # `SSDHead.__init__` calls `_init_layers`, which needs the loss's number of outputs.
        self._outputs = num_classes + (1 if kind == 'CrossEntropyLoss' or background_output else 0)
        super().__init__(num_classes=num_classes, in_channels=in_channels, use_depthwise=True, **kwargs)
        self.use_sigmoid_cls = kind == 'FocalLoss'
        self.loss_cls = MMDET_MODELS.build(loss_cls)

    def _init_layers(self) -> None:
        """Builds the branches; the state-dict keys are those of mmdet's `SSDHead`."""
        self.cls_out_channels = self._outputs
        levels = list(zip(self.in_channels, self.num_base_priors, strict=True))
        self.cls_convs, self.reg_convs = nn.ModuleList(), nn.ModuleList()
        for level, (channels, priors) in enumerate(levels):
            plain = self.last_level_plain and level == len(levels) - 1
            self.cls_convs.append(self._branch(channels, priors * self.cls_out_channels, plain))
            self.reg_convs.append(self._branch(channels, priors * 4, plain))

    def _branch(self, in_channels: int, out_channels: int, plain: bool) -> nn.Sequential:
        predictor = nn.Conv2d(in_channels, out_channels, 1)
        if plain:
            return nn.Sequential(predictor)
        depthwise = ConvModule(
            in_channels,
            in_channels,
            3,
            padding=1,
            groups=in_channels,
            bias=True if self.depthwise_bias else 'auto',
            conv_cfg=self.conv_cfg,
            norm_cfg=self.norm_cfg,
            act_cfg=self.act_cfg,
        )
        return nn.Sequential(depthwise, predictor)

    def init_weights(self) -> None:
        """Applies `init_cfg`; then, for the focal loss, sets biases such that scores start at 0.01."""
        super().init_weights()
        if not self.use_sigmoid_cls:
            return
        for conv in self.cls_convs.modules():
            if isinstance(conv, nn.Conv2d):
                normal_init(conv, std=0.01, bias=bias_init_with_prob(0.01))

    def loss_by_feat_single(
        self,
        cls_score: Tensor,
        bbox_pred: Tensor,
        anchor: Tensor,
        labels: Tensor,
        label_weights: Tensor,
        bbox_targets: Tensor,
        bbox_weights: Tensor,
        avg_factor: int,
    ) -> tuple[Tensor, Tensor]:
        """Computes the losses of one image.

        Args:
            cls_score (Tensor): (P, K) logits of the P priors.
            bbox_pred (Tensor): (P, 4) deltas.
            anchor (Tensor): (P, 4) priors, x1 y1 x2 y2 in pixels.
            labels (Tensor): (P,) class indices, `num_classes` for background.
            label_weights (Tensor): (P,), 0 for priors that are ignored.
            bbox_targets (Tensor): (P, 4) deltas, or boxes with `reg_decoded_bbox`.
            bbox_weights (Tensor): (P, 4), 1 for positives.
            avg_factor (int): Number of positive priors in the batch.

        Returns:
            tuple[Tensor, Tensor]: class loss of shape (1,) and box loss, a scalar.
        """
        if self.reg_decoded_bbox:
            bbox_pred = self.bbox_coder.decode(anchor, bbox_pred)
        loss_bbox = smooth_l1_loss(
            bbox_pred, bbox_targets, bbox_weights, beta=self.train_cfg['smoothl1_beta'], avg_factor=avg_factor
        )
        if self.use_sigmoid_cls:
            loss_cls = self._focal_loss(cls_score, labels, label_weights, avg_factor)
        else:
            loss_cls = self._hard_negative_loss(cls_score, labels, label_weights, avg_factor)
        return loss_cls[None], loss_bbox

    def _focal_loss(
        self, cls_score: Tensor, labels: Tensor, label_weights: Tensor, avg_factor: int
    ) -> Tensor:
        # One-hot targets select FocalLoss's PyTorch form. A background prior is a negative of every output, the unused
        # one of `background_output` included.
        targets = F.one_hot(labels, self.num_classes + 1)
        targets = F.pad(targets[:, : self.num_classes], (0, self.cls_out_channels - self.num_classes))
        return self.loss_cls(cls_score, targets, label_weights, avg_factor=avg_factor)

    def _hard_negative_loss(
        self, cls_score: Tensor, labels: Tensor, label_weights: Tensor, avg_factor: int
    ) -> Tensor:
        losses = self.loss_cls(cls_score, labels, label_weights, reduction_override='none')
        positive = labels < self.num_classes
        negatives = losses[~positive]
        kept = min(self.train_cfg['neg_pos_ratio'] * int(positive.sum()), len(negatives))
        return (losses[positive].sum() + negatives.topk(kept).values.sum()) / avg_factor

    def predict_by_feat(self, cls_scores: list[Tensor], *args, **kwargs):
        """Predicts as mmdet does, but only classes: the background output of the sigmoid loss gets the score 0."""
        if self.use_sigmoid_cls and self.cls_out_channels > self.num_classes:
            cls_scores = [self._without_background(score) for score in cls_scores]
        return super().predict_by_feat(cls_scores, *args, **kwargs)

    def _without_background(self, cls_score: Tensor) -> Tensor:
        """Sets the last of the K outputs in logits (N, A * K, H, W) to minus infinity."""
        last = (
            torch.arange(cls_score.shape[1], device=cls_score.device) % self.cls_out_channels
            == self.num_classes
        )
        return cls_score.masked_fill(last[:, None, None], float('-inf'))
