"""Pairwise attention: every place (or channel) attends to others."""

from attn_plugins.layers.discover import export_layers

__all__ = export_layers(globals())
