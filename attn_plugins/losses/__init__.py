"""Losses beside a student's own: attention transfer and knowledge distillation, found by the registry `LOSSES`."""

from attn_plugins.losses.activation_transfer import ActivationTransfer
from attn_plugins.losses.base import DistillationLoss
from attn_plugins.losses.full_activation import FullActivationTransfer
from attn_plugins.losses.gradient_transfer import GradientNorm, GradientSymmetry, GradientTransfer
from attn_plugins.losses.knowledge_distillation import KnowledgeDistillation
from attn_plugins.losses.schedule import Schedule

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
