"""Convolutions with attention, built wherever a config names a convolution (`conv_cfg`, `dcn` of mmdet's ResNet)."""

from attn_plugins.layers.conv.aa import AAConv
from attn_plugins.layers.conv.dynamic import DynamicConv
from attn_plugins.layers.conv.sk import SKConv

__all__ = ['AAConv', 'DynamicConv', 'SKConv']
