"""Knowledge distillation: a student learns from a teacher in addition to its own losses."""

from attn_plugins.distillation.distillation import Distillation, distillation_of
from attn_plugins.distillation.distiller import Distiller

__all__ = ['Distillation', 'Distiller', 'distillation_of']
