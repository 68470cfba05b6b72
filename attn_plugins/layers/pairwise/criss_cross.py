"""Criss-cross attention (CCNet; Huang et al., ICCV 2019, arXiv:1811.11721).

Checked against speedinghzl/CCNet 1fae6c6.
"""

from torch import Tensor

from attn_plugins.layers.pairwise.projected import ProjectedAttention
from attn_plugins.ops.criss_cross import criss_cross
from attn_plugins.registry import MODELS


@MODELS.register_module()
class CrissCross(ProjectedAttention):
    """Every place attends to its row and column: y_i = x_i + gamma sum_j softmax_j(q_i . k_j) v_j.

    j runs over the H + W - 1 places of i's row and column; q, k and v are 1x1 convolutions with bias, q and k of
    d = C // reduction channels; gamma = 0 at the start, so the layer starts as the identity.

    (N, C, H, W) -> (N, C, H, W). Parameters: 2 (C d + d) + C^2 + C + 1; 1.25 C^2 + 1.25 C + 1 by default.

    CCNet's head applies one such layer twice with the same weights, so that every place sees every other; one
    application is here. The products are not scaled, as published. Memory: one map of N H W (H + W) numbers.
    Deviations: none in the results; plain tensor functions instead of the authors' CUDA code, on any device.

    Args:
        in_channels (int): C.
        reduction (int): C // d.

    Raises:
        ValueError: The reduction leaves no channel.
    """

    _abbr_ = 'attn_criss_cross'

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """(N, d, H, W), (N, d, H, W), (N, C, H, W) -> (N, C, H, W)."""
        return criss_cross(query, key, value)
