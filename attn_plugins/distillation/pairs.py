"""Pairs of module paths, one in the student and one in the teacher."""

from collections.abc import Sequence
from typing import NamedTuple

from attn_plugins.errors import UserError


class Pair(NamedTuple):
    """Two modules that are compared.

    Attributes:
        student: The path of the student's module.
        teacher: The path of the teacher's module.
    """

    student: str
    teacher: str


def read_pairs(loss: 'DistillationLoss', pairs: Sequence, logits: str | Sequence[str] | None) -> list[Pair]:  # noqa: F821
    """Reads the pairs that a loss compares: its own, else those given for the kind of tensors that it reads.

    Raises:
        UserError: There are no pairs, the loss takes none but has some, or a pair is not one path or two.
    """
    if loss.reads == 'input_gradient':
        if loss.pairs:
            raise UserError(f'{loss.name} differentiates the whole model: leave its pairs out')
        return []
    given = loss.pairs or (
        [logits] if loss.reads == 'logits' and logits else pairs if loss.reads == 'features' else ()
    )
    if not given:
        option, example = dict(features=('pairs', "['backbone.layer3']"), logits=('logits', "'head.fc'"))[
            loss.reads
        ]
        raise UserError(f'{loss.name} compares {loss.reads}: say of which modules with {option}={example}')
    return [_read(pair) for pair in given]


def _read(pair: str | Sequence[str]) -> Pair:
    paths = [pair, pair] if isinstance(pair, str) else list(pair) if isinstance(pair, (list, tuple)) else []
    if len(paths) != 2 or not all(isinstance(path, str) and path for path in paths):
        raise UserError(
            f"{pair!r} is no pair of modules: write 'backbone.layer3', or ['backbone.layer3', 'backbone.layer4']"
        )
    return Pair(*paths)
