"""Layers whose gate differs from place to place."""

from attn_plugins.layers.discover import export_layers

__all__ = export_layers(globals())
