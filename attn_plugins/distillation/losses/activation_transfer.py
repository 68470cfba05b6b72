"""Activation-based attention transfer (Zagoruyko and Komodakis, ICLR 2017, arXiv:1612.03928).

Checked against szagoruyko/attention-transfer 893df54.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from attn_plugins.distillation.losses.base import DistillationLoss
from attn_plugins.distillation.losses.feature_maps import as_large_as, check_feature_maps
from attn_plugins.ops.activation_map import activation_map, check_activation_map
from attn_plugins.registry import LOSSES

# The least norm by which a map is divided, as in torch's `normalize`, which the authors call.
EPS = 1e-12


@LOSSES.register_module()
class ActivationTransfer(DistillationLoss):
    """The student's maps of where it is active are to be the teacher's.

    Equation:
        loss = 1/(N H W) sum_nhw (s_nhw - t_nhw)^2               'code'
        loss = 1/(2 N) sum_n sqrt(sum_hw (s_nhw - t_nhw)^2)      'paper'
        s_n = q_n / max(||q_n||_2, 1e-12) with q_nhw = sum_c |x_nchw|^p of the student, t_n of the teacher alike
        q_nhw = max_c |x_nchw|^p for map='max'

    The authors' code takes the mean of the squares over batch and places, and their README the weight 1000 with it.
    Their paper adds beta/2 times the norm itself for every pair, and a beta of "about 0.1". The two are not the same
    loss in other units: the code's 1000 is 1000/(N H W) on the squared norms, 0.12 for 128 maps of 8 x 8 and 0.0076
    for 32 x 32, and it is these that the paper's 0.1 speaks of. The published tables are the code's.

    Deviations: map='sum' is the paper's sum over channels, where the code takes the mean; once normalised they are
    the same, but for maps whose norm is below 1e-12. The paper gives no mean over the batch; 'paper' takes it, so
    that beta does not depend on the batch. Of maps of two sizes the paper says that they are interpolated and the
    code refuses them: here the teacher's is interpolated to the student's, bilinearly, before it is normalised. The
    student's is never changed, so that each of its places has its own target.

    Args:
        map (str): 'sum' or 'max' over the channels.
        p (float): The power of the activations; p=1 with 'sum' is the paper's F_sum.
        variant (str): 'code' or 'paper'.
        weight (float, optional): beta; 1000 for 'code' and 0.1 for 'paper'.
        schedule (dict, optional): When the loss acts (`Schedule`).
        pairs (sequence, optional): Its own pairs of layers.
        name (str, optional): Its key in the log, 'loss_at'.

    Raises:
        ValueError: An option does not exist, or what is compared are no maps of the same images.

    Source: paper section 3.1; utils.py and README of the code. Weights: the README, and the paper's section 4.1.
    """

    reads = 'features'
    default_name = 'loss_at'

    def __init__(
        self,
        map: str = 'sum',
        p: float = 2,
        variant: str = 'code',
        weight: float | None = None,
        schedule: dict | None = None,
        pairs: Sequence | None = None,
        name: str | None = None,
    ):
        if variant not in ('code', 'paper'):
            raise ValueError(f"variant={variant!r} must be 'code' or 'paper'")
        check_activation_map(map, p)
        self.default_weight = 1000.0 if variant == 'code' else 0.1
        super().__init__(weight, schedule, pairs, name)
        self.map, self.p, self.variant = map, p, variant

    def check_pair(self, student: Sequence[Tensor], teacher: Sequence[Tensor]) -> None:
        """Refuses maps of a single place, each of which is 1 once it is normalised.

        A single one among other maps, as an SSD's last, is accepted; it adds nothing.

        Raises:
            ValueError: All maps of student or teacher have a single place.
        """
        for maps in (student, teacher):
            if all(x.dim() == 4 and x.shape[2:].numel() == 1 for x in maps):
                raise ValueError(
                    f'{tuple(maps[0].shape)} has one place, where an activation map is 1 whatever the '
                    'activations are: choose a layer before the pooling, or larger images'
                )

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Computes the scalar loss without its weight, from features (N, C, H, W) and (N, C', H', W')."""
        check_feature_maps(student, teacher)
        ours = activation_map(student, self.map, self.p)
        theirs = activation_map(teacher, self.map, self.p)
        theirs = as_large_as(ours[:, None], theirs[:, None])[:, 0]
        difference = _normalized(ours) - _normalized(theirs)
        if self.variant == 'code':
            return difference.square().mean()
        return torch.linalg.vector_norm(difference, dim=1).mean() / 2


def _normalized(maps: Tensor) -> Tensor:
    """Flattens maps and scales each to norm 1: (N, H, W) -> (N, H W)."""
    return F.normalize(maps.flatten(1), dim=1, eps=EPS)
