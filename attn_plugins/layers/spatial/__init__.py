"""Layers whose gate differs from place to place."""

from attn_plugins.layers.spatial.bam import BAM
from attn_plugins.layers.spatial.cbam import CBAM
from attn_plugins.layers.spatial.coord_attention import CoordAttention
from attn_plugins.layers.spatial.gala import GALA
from attn_plugins.layers.spatial.ge import GE
from attn_plugins.layers.spatial.sge import SGE
from attn_plugins.layers.spatial.simam import SimAM
from attn_plugins.layers.spatial.triplet_attention import TripletAttention

__all__ = ['BAM', 'CBAM', 'GALA', 'GE', 'SGE', 'CoordAttention', 'SimAM', 'TripletAttention']
