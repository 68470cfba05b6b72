"""Losses in addition to a student's own: attention transfer and knowledge distillation, in the registry `LOSSES`."""

from attn_plugins.distillation.losses.activation_transfer import ActivationTransfer
from attn_plugins.distillation.losses.base import DistillationLoss
from attn_plugins.distillation.losses.full_activation import FullActivationTransfer
from attn_plugins.distillation.losses.gradient_transfer import (
    GradientNorm,
    GradientSymmetry,
    GradientTransfer,
)
from attn_plugins.distillation.losses.knowledge_distillation import KnowledgeDistillation
from attn_plugins.distillation.losses.loss_schedule import Schedule

__all__ = [
    'ActivationTransfer',
    'DistillationLoss',
    'FullActivationTransfer',
    'GradientNorm',
    'GradientSymmetry',
    'GradientTransfer',
    'KnowledgeDistillation',
    'Schedule',
]
