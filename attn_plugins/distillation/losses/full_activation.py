"""Full-activation transfer, with which attention transfer is compared (Zagoruyko and Komodakis, ICLR 2017,
arXiv:1612.03928).

After the hints of FitNets (Romero et al., ICLR 2015, arXiv:1412.6550). No code of this comparison was released.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attn_plugins.distillation.losses.base import DistillationLoss
from attn_plugins.distillation.losses.feature_maps import as_large_as, check_feature_maps
from attn_plugins.ops.pool import at_least_float32
from attn_plugins.registry import LOSSES


@LOSSES.register_module()
class FullActivationTransfer(DistillationLoss):
    """The student's whole activations are to be the teacher's, by a 1x1 convolution where the widths differ.

    Equation:
        loss = 1/(N H W) sum_nchw (s_nchw - t_nchw)^2
        s_n = a_n / max(||a_n||_2, 1e-12) with a = W x + b of the student's x, t_n = the teacher's activations alike
        a = x where both have as many channels

    The norm is that of all channels and places of a sample.

    Parameters: (C + 1) C' for a pair of C channels of the student and C' of the teacher, none where C = C'. They are
    trained with the student and are no part of its state dict: a checkpoint is the plain student's. `state` and
    `load_state` hand them over.

    Deviations: the paper has neither formula nor weight of this comparison ("l2 losses on full activations",
    normalised, with 1x1 convolutions). Sum over channels and mean over batch and places, with the weight 1000, are
    `ActivationTransfer`'s with activations for maps. Of two sizes the teacher's is interpolated to the student's. The
    paper lets the weight decay, which is
    `schedule=dict(decay='linear')`.

    Args:
        weight (float, optional): beta, 1000.
        schedule (dict, optional): When the loss acts (`Schedule`).
        pairs (sequence, optional): Its own pairs of layers.
        name (str, optional): Its key in the log, 'loss_fact'.

    Raises:
        ValueError: What is compared are no maps of the same images, or a pair was not announced by `build_adapter`.

    Source: paper section 4.1.
    """

    reads = 'features'
    default_weight = 1000.0
    needs_channels = True
    default_name = 'loss_fact'

    def __init__(
        self,
        weight: float | None = None,
        schedule: dict | None = None,
        pairs: Sequence | None = None,
        name: str | None = None,
    ):
        super().__init__(weight, schedule, pairs, name)
        self.adapters = nn.ModuleList()

    def build_adapter(self, student_channels: int, teacher_channels: int) -> None:
        """Adds the convolution of the next pair; must be called once for each pair, in their order."""
        same = student_channels == teacher_channels
        self.adapters.append(nn.Identity() if same else Adapter(student_channels, teacher_channels, 1))

    def forward(self, student: Tensor, teacher: Tensor, pair: int = 0) -> Tensor:
        """Computes the scalar loss without its weight, from features (N, C, H, W) and (N, C', H', W') of a pair.

        `pair` is the number of the pair.
        """
        check_feature_maps(student, teacher)
        if pair >= len(self.adapters):
            raise ValueError(
                f'pair {pair} of FullActivationTransfer is not known: call build_adapter(student_channels, '
                'teacher_channels) once for each pair before the first forward'
            )
        ours = at_least_float32(self.adapters[pair](at_least_float32(student)))
        theirs = as_large_as(ours, at_least_float32(teacher))
        if ours.shape != theirs.shape:
            raise ValueError(
                f'pair {pair} of FullActivationTransfer has {student.shape[1]} channels of the student and '
                f'{teacher.shape[1]} of the teacher, which is not what build_adapter was told: give it these'
            )
        difference = _normalized(ours) - _normalized(theirs)
        return difference.square().sum() / (len(ours) * ours.shape[2:].numel())

    def state(self) -> dict[str, Tensor]:
        """Returns the convolutions' weights by name, to be saved beside the student's checkpoint; may be empty."""
        return {name: parameter.detach() for name, parameter in self.adapters.named_parameters()}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Loads the weights that `state` returned.

        Raises:
            ValueError: They do not fit these convolutions.
        """
        own = self.state()
        shapes, given = ({key: tuple(value.shape) for key, value in each.items()} for each in (own, state))
        if shapes != given:
            raise ValueError(
                f'the weights of {self.name} do not fit: it has {shapes} and is given {given}; resume with the same '
                'pairs, or start anew'
            )
        with torch.no_grad():
            for key, value in own.items():
                value.copy_(state[key])


class Adapter(nn.Conv2d):
    """A convolution that is in no state dict: torch and mmengine call these two methods for every module."""

    def _save_to_state_dict(self, *args, **kwargs) -> None:
        pass

    def _load_from_state_dict(self, *args, **kwargs) -> None:
        pass


def _normalized(x: Tensor) -> Tensor:
    """Scales each sample to norm 1: (N, C, H, W) -> the same shape."""
    return F.normalize(x.flatten(1), dim=1).view_as(x)
