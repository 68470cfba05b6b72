"""Criss-cross attention (CCNet; Huang et al., ICCV 2019, arXiv:1811.11721).

Checked against speedinghzl/CCNet 1fae6c6.
"""

import torch.fx
from torch import Tensor

from attn_plugins.layers.pairwise.pam import ProjectedAttention
from attn_plugins.layers.place import Place
from attn_plugins.ops.criss_cross import criss_cross
from attn_plugins.registry import MODELS

# A symbolic trace must not look inside this function: it reads the size.
torch.fx.wrap('criss_cross')


@MODELS.register_module()
class CrissCross(ProjectedAttention):
    """Every place attends to its row and column.

    Equation:
        y_i = x_i + gamma sum_j softmax_j(q_i . k_j) v_j
        q, k, v = W_q x + b_q, W_k x + b_k, W_v x + b_v

    j runs over the H + W - 1 places of i's row and column; q and k have d = C // reduction channels. gamma = 0 at the
    start, so the layer starts as the identity.

    Parameters: 2 (C d + d) + C^2 + C + 1; 1.25 C^2 + 1.25 C + 1 by default.

    Deviations: None known in the results; plain tensor functions instead of the authors' CUDA code, on any device.

    CCNet's head applies one such layer twice with the same weights, so that every place sees every other; one
    application is here. The products are not scaled, as published. Memory: the weights of
    2^20 pairs at a time (2^24 on a GPU), of columns and rows one after the other, instead of N H W (H + W).

    Args:
        in_channels (int): C.
        reduction (int): C // d.

    Raises:
        ValueError: The reduction leaves no channel.
    """

    _abbr_ = 'attn_criss_cross'
    place = Place(
        "In CCNet's segmentation head only, between two 3x3 convolutions, twice with the same weights "
        "(`recurrence=2` is the head's default).",
        plugins=[dict(replace='cca')],
        read_in='speedinghzl/CCNet: networks/ccnet.py',
        host=dict(type='CCHead'),
        library='mmseg',
    )
    examples = [dict(reduction=2)]

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Attends to row and column: (N, d, H, W), (N, d, H, W), (N, C, H, W) -> (N, C, H, W)."""
        return criss_cross(query, key, value)
