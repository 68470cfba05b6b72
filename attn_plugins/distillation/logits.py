"""What a model's head says of its logits: how they become probabilities, and which channels are those of one anchor."""

from typing import NamedTuple

from torch import nn

from attn_plugins.distillation.features import find
from attn_plugins.distillation.losses import DistillationLoss
from attn_plugins.distillation.pairs import Pair
from attn_plugins.errors import UserError
from attn_plugins.insertion.tree import walk


class Logits(NamedTuple):
    """What logits are.

    Attributes:
        activation: 'softmax' or 'sigmoid'.
        classes: Channels of one anchor; None where all are of one.
        anchors: The numbers of anchors that a map may have; None where nothing is said.
    """

    activation: str
    classes: int | None = None
    anchors: tuple[int, ...] | None = None

    def fit(self, channels: int) -> bool:
        """Whether a map of so many channels can have them."""
        return self.anchors is None or channels in [number * self.classes for number in self.anchors]


def logits_of(model: nn.Module, path: str, whose: str) -> Logits | None:
    """What the head around a module says, the innermost first; None of a detector whose heads say nothing.

    mmdet's dense heads say all of it. mmpretrain's heads of several labels an image, and mmseg's of one channel, take
    a sigmoid; all others of the two take a softmax, over all channels."""
    nodes = list(walk(model))
    modules = {node.name: node.module for node in nodes}
    names = find(nodes, path, whose).name.split('.')
    for end in range(len(names), 0, -1):
        found = _of_head(modules['.'.join(names[:end])])
        if found is not None:
            return found
    return None if _is_a(model, 'BaseDetector') else Logits('softmax')


def agreed_head(loss: DistillationLoss, pair: Pair, student: nn.Module, teacher: nn.Module) -> Logits | None:
    """What the student's head says of a pair of logits; None where it says nothing.

    Raises:
        UserError: The teacher's says something else of what the loss is not told.
    """
    ours, theirs = logits_of(student, pair.student, 'student'), logits_of(teacher, pair.teacher, 'teacher')
    if ours is not None and theirs is not None:
        for option in ('activation', 'classes'):
            values = [getattr(head, option) for head in (ours, theirs)]
            if getattr(loss, option) is None and values[0] != values[1]:
                raise UserError(
                    f'{loss.name} compares {pair.student!r}, whose head has {option}={values[0]!r}, with the '
                    f"teacher's {pair.teacher!r}, "
                    f'which has {option}={values[1]!r}: take a teacher whose head is alike, or say with '
                    f'{option}= what both are'
                )
    return ours


def _of_head(head: nn.Module) -> Logits | None:
    sigmoid = getattr(head, 'use_sigmoid_cls', getattr(getattr(head, 'loss_cls', None), 'use_sigmoid', None))
    classes, anchors = getattr(head, 'cls_out_channels', None), getattr(head, 'num_base_priors', None)
    if isinstance(classes, int) and isinstance(sigmoid, bool):
        anchors = (anchors,) if isinstance(anchors, int) else None if anchors is None else tuple(anchors)
        return Logits('sigmoid' if sigmoid else 'softmax', classes, anchors)
    if _is_a(head, 'MultiLabelClsHead') or _is_a(head, 'BaseDecodeHead') and head.out_channels == 1:
        return Logits('sigmoid')
    return None


def _is_a(module: nn.Module, name: str) -> bool:
    """Whether it is of a library's class, which is not imported for it."""
    return any(kind.__name__ == name for kind in type(module).__mro__)
