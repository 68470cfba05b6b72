"""Knowledge distillation (Hinton et al., NIPS 2014 workshop, arXiv:1503.02531).

Checked against szagoruyko/attention-transfer 893df54.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from attn_plugins.losses.base import DistillationLoss, check_number
from attn_plugins.losses.feature_maps import as_large_as
from attn_plugins.ops.pool import at_least_float32
from attn_plugins.registry import LOSSES


@LOSSES.register_module()
class KnowledgeDistillation(DistillationLoss):
    """The student's softened probabilities are to be the teacher's.

    Equation:
        loss = T^2/N sum_n sum_k t_nk (log t_nk - log s_nk)
        s_n = softmax(z_n / T) of the student's logits z, t_n of the teacher's
        total = alpha loss + (1 - alpha) (the student's own losses)

    Of logits per pixel it is the mean over the pixels, too. T^2 keeps the gradient's size when T changes.

    Deviations: None known. The code has alpha = 0 by default; 0.9 is what its README runs.

    Args:
        temperature (float): T.
        alpha (float): The share of this loss; 1 - alpha is left to the student's own (`own_share`).
        weight (float, optional): alpha by default; another one leaves `own_share` as it is.
        schedule (dict, optional): When the loss acts (`Schedule`).
        pairs (sequence, optional): Its own pairs of layers.
        name (str, optional): Its key in the log, 'loss_kd'.

    Raises:
        ValueError: An option cannot work, or the logits are not of the same classes and images.

    Source: utils.py, cifar.py and README of the code.
    """

    reads = 'logits'
    default_name = 'loss_kd'

    def __init__(
        self,
        temperature: float = 4.0,
        alpha: float = 0.9,
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
        self.default_weight = alpha
        super().__init__(weight, schedule, pairs, name)
        self.temperature, self.alpha = temperature, alpha
        self.own_share = 1 - alpha

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Logits (N, K), or (N, K, H, W) and (N, K, H', W') -> the scalar without its weight."""
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
        teacher = at_least_float32(teacher)
        if teacher.dim() == 4:
            teacher = as_large_as(student, teacher)
        ours = (at_least_float32(student) / self.temperature).log_softmax(1)
        theirs = (teacher / self.temperature).log_softmax(1)
        divergence = F.kl_div(ours, theirs, reduction='none', log_target=True).sum(1)
        return self.temperature**2 * divergence.mean()
