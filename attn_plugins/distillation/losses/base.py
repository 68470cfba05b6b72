"""The base of all losses in addition to a student's own: a weight, a schedule, and what the loss reads."""

import math
from collections.abc import Sequence

from torch import Tensor, nn

from attn_plugins.distillation.losses.loss_schedule import Schedule


class DistillationLoss(nn.Module):
    """A loss of one pair of places, one in the student and one in the teacher; whoever calls it applies the weight.

    Equation:
        total = own_share * (the student's own losses) + weight * factor * sum_pairs forward(student, teacher)
        factor = schedule.factor(now, last)

    Args:
        weight (float, optional): The published one of the loss by default (`default_weight`).
        schedule (dict, optional): Options of `Schedule`; the loss always acts by default.
        pairs (sequence, optional): The pairs of places; the caller's by default.
        name (str, optional): The key of the log (`default_name`).

    Raises:
        ValueError: The weight is no number of at least 0, the name lacks 'loss', or the pairs are no list.
    """

    #: What `forward` is given: 'features', 'logits' or 'input_gradient'.
    reads: str
    needs_teacher = True
    #: Whether `forward` is also given the student's input gradient for the mirrored image.
    needs_flip = False
    #: Whether `forward` is given the properties of the logits from the head around them: `activation` and `classes`.
    asks_head = False
    #: Whether `build_adapter` is told the channels of every pair before the first forward, and `forward` its number.
    needs_channels = False
    #: The factor of the student's own losses.
    own_share = 1.0
    default_weight: float
    default_name: str

    def __init__(
        self,
        weight: float | None = None,
        schedule: dict | None = None,
        pairs: Sequence | None = None,
        name: str | None = None,
    ):
        super().__init__()
        self.weight = self.default_weight if weight is None else weight
        self.schedule = Schedule.from_config(schedule)
        self.pairs = pairs
        self.name = self.default_name if name is None else name
        check_number(type(self).__name__, 'weight', self.weight)
        # mmengine sums those values of the log whose keys contain this word.
        if not isinstance(self.name, str) or 'loss' not in self.name:
            raise ValueError(
                f"the name of a loss must contain 'loss', or it is not added to the others, and {self.name!r} "
                'does not: '
                f"try 'loss_{self.name}'"
            )
        if pairs is not None and (isinstance(pairs, str) or not isinstance(pairs, Sequence) or not pairs):
            raise ValueError(f'pairs of {type(self).__name__} must be a list of pairs, not {pairs!r}')

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Computes the scalar loss without its weight, from student's and teacher's tensors at one pair of places."""
        raise NotImplementedError

    def check_pair(self, student: Sequence[Tensor], teacher: Sequence[Tensor]) -> None:
        """Refuses outputs of a pair of places that `forward`, which sees their parts one by one, would not refuse.

        Raises:
            ValueError: They cannot be compared.
        """

    def build_adapter(self, student_channels: int, teacher_channels: int) -> None:
        """Builds what the loss needs for its next pair of maps; called once for each pair, in their order."""

    def state(self) -> dict[str, Tensor]:
        """Returns the loss's own weights by name, to be kept beside the student's checkpoint."""
        return {}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Takes the weights that `state` gave."""

    def extra_repr(self) -> str:
        """Returns the options that `print` shows."""
        return f'name={self.name!r}, weight={self.weight}, schedule={self.schedule}'


def check_number(owner: str, option: str, value, most: float = math.inf) -> None:
    """Refuses a value that is no number from 0 to `most`.

    Raises:
        ValueError: It is no such number.
    """
    right = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= most
    if not right or math.isinf(value):
        limits = 'of at least 0' if math.isinf(most) else f'from 0 to {most}'
        raise ValueError(f'{owner} needs a number {limits} as {option}, not {value!r}')
