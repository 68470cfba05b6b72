"""Layers: modules that map (N, C, H, W) to the same shape. One file per published method."""

from attn_plugins.layers.discover import export_layers

__all__ = export_layers(globals())
