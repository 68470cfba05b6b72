"""Norm layers: modules around a batch norm that they keep inside as `bn`."""

from attn_plugins.layers.discover import export_layers

__all__ = export_layers(globals())
