"""Pairwise attention: every place (or channel) attends to others."""

from attn_plugins.layers.pairwise.cam import CAM
from attn_plugins.layers.pairwise.criss_cross import CrissCross
from attn_plugins.layers.pairwise.double_attention import DoubleAttention
from attn_plugins.layers.pairwise.generalized import GeneralizedAttention
from attn_plugins.layers.pairwise.non_local import NonLocal
from attn_plugins.layers.pairwise.pam import PAM

__all__ = ['CAM', 'PAM', 'CrissCross', 'DoubleAttention', 'GeneralizedAttention', 'NonLocal']
