"""Norm layers: modules around a batch norm that they keep inside as `bn`."""

from attn_plugins.layers.norm.iebn import IEBN
from attn_plugins.layers.norm.noisy_bn import NoisyBN

__all__ = ['IEBN', 'NoisyBN']
