"""Computes a loss over its pairs of modules, and refuses modules from which the student cannot learn."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from attn_plugins.distillation.logits import Logits
from attn_plugins.distillation.losses import DistillationLoss
from attn_plugins.distillation.pairs import Pair
from attn_plugins.errors import UserError


def compare(
    loss: DistillationLoss,
    maps: Sequence[tuple[Pair, list[Tensor], list[Tensor]]],
    images: int,
    heads: Mapping[Pair, Logits | None],
) -> Tensor:
    """Sums a loss over its pairs.

    Args:
        loss: The loss.
        maps: For each pair the outputs of the student's module, and of the teacher's.
        images: The number of images in the batch.
        heads: The properties of logits, from the heads around them.

    Raises:
        UserError: A module's outputs cannot be compared by the loss, or the student cannot learn from them.
    """
    values = []
    for pair, ours, theirs in maps:
        _check_batches(pair, ours, theirs, images)
        _check_gradient(pair, ours)
        try:
            loss.check_pair(ours, theirs)
            for student, teacher in zip(ours, theirs, strict=True):
                options = _of_head(loss, pair, heads[pair], student.shape[1]) if loss.asks_head else {}
                if loss.needs_channels:
                    options['pair'] = len(values)
                values.append(loss(student, teacher.detach(), **options))
        except ValueError as error:  # maps or logits that this loss cannot compare
            raise UserError(f'{loss.name}: {error}') from error
    return torch.stack(values).sum()


def _check_batches(pair: Pair, ours: list[Tensor], theirs: list[Tensor], images: int) -> None:
    """Refuses pairs with different numbers of maps, and outputs that are not one for each image."""
    if len(ours) != len(theirs):
        raise UserError(
            f'{pair.student!r} of the student hands on {len(ours)} maps and {pair.teacher!r} of the teacher '
            f'{len(theirs)}: pair modules that hand on as many'
        )
    for path, whose, maps in ((pair.student, 'student', ours), (pair.teacher, 'teacher', theirs)):
        for x in maps:
            if x.dim() < 2 or len(x) != images:
                raise UserError(
                    f'{path!r} of the {whose} hands on {tuple(x.shape)} for {images} images: proposals, for '
                    'one, are not the same in '
                    'student and teacher, so compare modules that hand on one map, or the logits, of each image'
                )


def _check_gradient(pair: Pair, ours: list[Tensor]) -> None:
    """Refuses modules of the student whose outputs have no gradient."""
    if torch.is_grad_enabled() and not any(x.requires_grad for x in ours):
        raise UserError(
            f'{pair.student!r} of the student is frozen, or inside of what activation checkpointing runs, so '
            'that nothing learns from it: compare a later module, or set with_cp=False'
        )


def _of_head(loss: DistillationLoss, pair: Pair, head: Logits | None, channels: int) -> dict:
    """Returns the options of a loss that the head around the logits determines.

    Options in the loss's own config take precedence.

    Raises:
        UserError: Neither the head nor the config of the loss determines them, or the logits cannot be those of the
            head's classes.
    """
    if head is None:
        if loss.activation is None or loss.activation == 'softmax' and loss.classes is None:
            raise UserError(
                f'{loss.name} cannot see what the {channels} channels of {pair.student!r} are: set its '
                'activation to sigmoid or softmax, and classes to the channels of one anchor'
            )
        return {}
    if loss.classes is None and not head.fit(channels):
        raise UserError(
            f'{pair.student!r} has {channels} channels, which are not {head.classes} of each of '
            f'{" or ".join(map(str, sorted(set(head.anchors))))} anchors: name the module that gives the '
            'logits of the classes'
        )
    return dict(activation=head.activation, classes=head.classes)
