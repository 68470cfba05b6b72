"""A student that learns from a teacher beside its own losses."""

from attn_plugins.distillation.distillation import Distillation, distillation_of
from attn_plugins.distillation.distiller import Distiller

__all__ = ['Distillation', 'Distiller', 'distillation_of']
