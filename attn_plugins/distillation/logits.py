"""Reads from a model's head how its logits become probabilities, and how many channels belong to one anchor."""

from typing import NamedTuple

from torch import nn

from attn_plugins.distillation.features import find
from attn_plugins.distillation.losses import DistillationLoss
from attn_plugins.distillation.pairs import Pair
from attn_plugins.errors import UserError
from attn_plugins.insertion.tree import walk


class Logits(NamedTuple):
    """The properties of logits.

    Attributes:
        activation: 'softmax' or 'sigmoid'.
        classes: Number of channels of one anchor; None if all channels belong to one.
        anchors: The numbers of anchors that a map may have; None if the head does not say.
    """

    activation: str
    classes: int | None = None
    anchors: tuple[int, ...] | None = None

    def fit(self, channels: int) -> bool:
        """Tells whether a map with so many channels can have these logits."""
        return self.anchors is None or channels in [number * self.classes for number in self.anchors]


def logits_of(model: nn.Module, path: str, whose: str) -> Logits | None:
    """Finds the properties of logits from the heads around a module, the innermost first.

    They are None for a detector whose heads do not declare them.

    mmdet's dense heads declare all of them. mmpretrain's heads for several labels per image, and mmseg's heads with one
    channel, use a sigmoid; all others of the two libraries use a softmax over all channels.
    """
    nodes = list(walk(model))
    modules = {node.name: node.module for node in nodes}
    names = find(nodes, path, whose).name.split('.')
    for end in range(len(names), 0, -1):
        found = _of_head(modules['.'.join(names[:end])])
        if found is not None:
            return found
    return None if _is_a(model, 'BaseDetector') else Logits('softmax')


def agreed_head(loss: DistillationLoss, pair: Pair, student: nn.Module, teacher: nn.Module) -> Logits | None:
    """Finds the properties of a pair of logits from the student's head; None if it does not declare them.

    Raises:
        UserError: The teacher's head differs in a property that the config of the loss does not set.
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
    """Tells whether a module is of a library's class, given by name so that the library is not imported."""
    return any(kind.__name__ == name for kind in type(module).__mro__)
