"""`Distiller`: builds a student that trains with its own losses and with losses that compare it with a teacher."""

from collections.abc import Sequence
from copy import deepcopy

from mmengine.registry import MODELS as MMENGINE_MODELS
from torch import nn

from attn_plugins.distillation.distillation import Distillation
from attn_plugins.distillation.losses import DistillationLoss
from attn_plugins.distillation.pairs import read_pairs
from attn_plugins.distillation.teacher import Teacher
from attn_plugins.errors import UserError
from attn_plugins.randomness import next_number, own_stream
from attn_plugins.registry import LOSSES, MODELS, build_part


def Distiller(
    student: dict,
    teacher: dict | None = None,
    losses: Sequence[dict] = (),
    pairs: Sequence[str | Sequence[str]] = (),
    logits: str | Sequence[str] | None = None,
    random_teacher: bool = False,
    data_preprocessor: dict | None = None,
) -> nn.Module:
    """Builds a student that learns from a teacher in addition to its own losses.

    Equation:
        total = own_share * (the student's losses) + sum_l weight_l factor_l(t) sum_pairs loss_l(student's, teacher's)

    The student itself is returned, of its own class and with its own state-dict keys: whatever trains, tests or loads
    it sees a plain model. The teacher is no part of it: it is frozen, in eval mode, outside optimizer, EMA, DDP and
    checkpoint, and runs once per step on the student's own batch.
    `custom_hooks=[dict(type='attn_plugins.DistillationHook')]` loads the teacher's weights before training, tests it,
    and tells the losses how far the training is; without this hook a training is refused.

    Args:
        student (dict): The config of a classifier, detector or segmentor.
        teacher (dict, optional): The config of the teacher, a model of any of the three libraries, with
            `init_cfg=dict(type='Pretrained', checkpoint=...)`. `config='their_config.py'` takes its model from a
            file. It may be left out if no loss needs one. If it has no data_preprocessor, it gets the student's.
        losses (Sequence[dict]): Configs of losses in `attn_plugins.distillation.losses`, as
            `dict(type='attn_plugins.ActivationTransfer', p=2)`. Without any the student trains alone.
        pairs (Sequence): Paths of modules that losses of features compare, as `['backbone.layer3', ['neck',
            'backbone.neck']]`: one path for both, or the student's and the teacher's. A loss may have `pairs` of its
            own.
        logits (str or Sequence[str], optional): The same for losses of logits: `'head.fc'`.
        random_teacher (bool): Allows a teacher without trained weights.
        data_preprocessor (dict, optional): For student and teacher; mmengine passes on the one of the config.

    Returns:
        nn.Module: The student.

    Raises:
        UserError: A path matches nothing or several, a loss has no pairs or no teacher, or two have one name.
    """
    student, preprocessor = deepcopy(dict(student)), deepcopy(data_preprocessor)
    if preprocessor is not None:
        student.setdefault('data_preprocessor', preprocessor)
    with MMENGINE_MODELS.switch_scope_and_registry(None) as registry:
        model = registry.build(student)
        # With the same seed the student starts alike, whatever it learns from.
        with own_stream(next_number(), 'distillation'):
            built = [_build_loss(cfg) for cfg in losses]
            terms = [(loss, read_pairs(loss, pairs, logits)) for loss in built]
            made = Distillation(terms, Teacher(teacher, data_preprocessor, random_teacher))
            made.attach(model)
    return model


MODELS.register_module(
    module=Distiller
)  # no decorator: mmengine's has no types, and the function would have none


def _build_loss(cfg: dict) -> DistillationLoss:
    """Builds a loss from its config.

    Raises:
        UserError: There is no such type or option, or a value cannot work.
    """
    try:
        loss: DistillationLoss = build_part(cfg, LOSSES)
        return loss
    except ValueError as error:
        raise UserError(str(error)) from error
