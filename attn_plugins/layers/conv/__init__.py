"""Convolutions with attention, built wherever a config names a convolution (`conv_cfg`, `dcn` of mmdet's ResNet)."""

from attn_plugins.layers.discover import export_layers

__all__ = export_layers(globals())
