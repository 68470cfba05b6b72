"""Knowledge distillation (Hinton et al., NIPS 2014 workshop, arXiv:1503.02531), with softmax or sigmoid.

The form with softmax is checked against szagoruyko/attention-transfer 893df54. The form with sigmoid is the multi-label
logits distillation of Yang et al., ICCV 2023, arXiv:2308.06453, as in `mld.py` of penghui-yang/L2D e3c438a. Another
Yang et al., ICCV 2023, arXiv:2308.14286, whose loss has other weights, argues that detectors with a sigmoid for each
class need such binary distillations and no softmax."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from attn_plugins.distillation.losses.base import DistillationLoss, check_number
from attn_plugins.distillation.losses.feature_maps import as_large_as
from attn_plugins.ops.pool import at_least_float32
from attn_plugins.registry import LOSSES


@LOSSES.register_module()
class KnowledgeDistillation(DistillationLoss):
    """The student's softened probabilities are to be the teacher's.

    Equation:
        loss = T^2/N sum_n sum_k t_nk (log t_nk - log s_nk)                                                  'softmax'
        loss = T^2/N sum_n sum_k t_nk log(t_nk / s_nk) + (1 - t_nk) log((1 - t_nk) / (1 - s_nk))             'sigmoid'
        s_n = softmax(z_n / T), or sigmoid(z_n / T), of the student's logits z, t_n of the teacher's
        total = alpha loss + (1 - alpha) (the student's own losses)

    Of logits per pixel it is the mean over the pixels, too, and of several anchors' the mean over the anchors, each
    of which has its own softmax over its `classes` channels. T^2 keeps the gradient's size when T changes.

    A `Distiller` asks the head around the logits for activation and classes: mmdet's dense heads (`use_sigmoid_cls`,
    `cls_out_channels`, `num_base_priors`), mmpretrain's heads of several labels, mmseg's of one channel. Of others it
    takes a softmax over all channels, but of a detector's, which it refuses.

    Deviations: None known with softmax. The code has alpha = 0 by default; 0.9 is what its README runs. With sigmoid
    the source has no temperature, which is T = 1, and clamps the probabilities to 1e-8 where here logarithms of
    sigmoids are taken.

    Args:
        temperature (float): T.
        alpha (float): The share of this loss; 1 - alpha is left to the student's own (`own_share`).
        activation (str, optional): 'softmax' or 'sigmoid'; by default what the host's head says.
        classes (int, optional): Channels of one anchor, those of the next behind them; by default what the host's
            head says, else all.
        weight (float, optional): alpha by default; another one leaves `own_share` as it is.
        schedule (dict, optional): When the loss acts (`Schedule`).
        pairs (sequence, optional): Its own pairs of layers.
        name (str, optional): Its key in the log, 'loss_kd'.

    Raises:
        ValueError: An option cannot work, or the logits are not of the same classes and images.

    Source: utils.py, cifar.py and README of the code; mld.py of the code of the sigmoid's form.
    """

    reads = 'logits'
    asks_head = True
    default_name = 'loss_kd'

    def __init__(
        self,
        temperature: float = 4.0,
        alpha: float = 0.9,
        activation: str | None = None,
        classes: int | None = None,
        weight: float | None = None,
        schedule: dict | None = None,
        pairs: Sequence | None = None,
        name: str | None = None,
    ):
        check_number('KnowledgeDistillation', 'temperature', temperature)
        check_number('KnowledgeDistillation', 'alpha', alpha, most=1)
        if temperature == 0:
            raise ValueError(
                'temperature=0 of KnowledgeDistillation would divide by 0: the published one is 4'
            )
        if activation not in (None, 'softmax', 'sigmoid'):
            raise ValueError(
                f"activation={activation!r} of KnowledgeDistillation must be 'softmax' or 'sigmoid'"
            )
        if classes is not None and (isinstance(classes, bool) or not isinstance(classes, int) or classes < 1):
            raise ValueError(
                f'classes={classes!r} of KnowledgeDistillation must be a number of channels from 1 up'
            )
        self.default_weight = alpha
        super().__init__(weight, schedule, pairs, name)
        self.temperature, self.alpha = temperature, alpha
        self.activation, self.classes = activation, classes
        self.own_share = 1 - alpha

    def forward(
        self, student: Tensor, teacher: Tensor, activation: str = 'softmax', classes: int | None = None
    ) -> Tensor:
        """Computes the scalar loss without its weight, from logits (N, K), or (N, K, H, W) and (N, K, H', W').

        `activation` and `classes` are those that the head declares; the options of the loss take precedence.
        """
        activation, classes = self.activation or activation, self.classes or classes or student.shape[1]
        if (
            student.dim() not in (2, 4)
            or student.dim() != teacher.dim()
            or student.shape[:2] != teacher.shape[:2]
        ):
            raise ValueError(
                'logits must be (N, K) or (N, K, H, W) of as many samples and classes, and are '
                f'{tuple(student.shape)} of the student and {tuple(teacher.shape)} of the teacher: take a teacher that '
                'was trained for the same classes'
            )
        if student.shape[1] % classes:
            raise ValueError(
                f'{student.shape[1]} channels are not those of anchors with {classes} each: choose the module '
                'that gives the '
                "classes' logits, or set classes="
            )
        if activation == 'softmax' and classes == 1:
            raise ValueError("the softmax of one channel is 1 whatever it is: set activation='sigmoid'")
        teacher = at_least_float32(teacher)
        if teacher.dim() == 4:
            teacher = as_large_as(student, teacher)
        ours, theirs = (
            z.unflatten(1, (-1, classes)) / self.temperature for z in (at_least_float32(student), teacher)
        )
        if activation == 'softmax':
            divergence = _divergence(ours.log_softmax(2), theirs.log_softmax(2))
        else:
            divergence = sum(_divergence(F.logsigmoid(s * ours), F.logsigmoid(s * theirs)) for s in (1, -1))
        return self.temperature**2 * divergence.mean()


def _divergence(ours: Tensor, theirs: Tensor) -> Tensor:
    """Computes sum_k t_k (log t_k - log s_k) from logarithms, over the third axis."""
    return F.kl_div(ours, theirs, reduction='none', log_target=True).sum(2)
