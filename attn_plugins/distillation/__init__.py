"""A student that learns from a teacher beside its own losses."""

from attn_plugins.distillation.distiller import Distillation, Distiller, distillation_of

__all__ = ['Distillation', 'Distiller', 'distillation_of']
