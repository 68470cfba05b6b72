"""Layers: modules that map (N, C, H, W) to the same shape. One file per published method."""

from attn_plugins.layers.channel import DIA, ECA, FCA, GC, GCT, SE, SEM, SRM, ChannelAttention
from attn_plugins.layers.conv import AAConv, DynamicConv, SKConv
from attn_plugins.layers.norm import IEBN, NoisyBN
from attn_plugins.layers.pairwise import CAM, PAM, CrissCross, DoubleAttention, GeneralizedAttention, NonLocal
from attn_plugins.layers.spatial import BAM, CBAM, GALA, GE, SGE, CoordAttention, SimAM, TripletAttention

__all__ = [
    'AAConv',
    'BAM',
    'CAM',
    'CBAM',
    'ChannelAttention',
    'CoordAttention',
    'CrissCross',
    'DIA',
    'DoubleAttention',
    'DynamicConv',
    'ECA',
    'FCA',
    'GALA',
    'GC',
    'GCT',
    'GE',
    'GeneralizedAttention',
    'IEBN',
    'NoisyBN',
    'NonLocal',
    'PAM',
    'SE',
    'SEM',
    'SGE',
    'SKConv',
    'SRM',
    'SimAM',
    'TripletAttention',
]
