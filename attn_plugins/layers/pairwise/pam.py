"""Position attention of DANet (Fu et al., CVPR 2019, arXiv:1809.02983). Checked against junfu1115/DANet b0a0fa0."""

from abc import ABC, abstractmethod

import torch.fx
from torch import Tensor, nn

from attn_plugins.layers.checks import hidden_channels
from attn_plugins.layers.layer import Layer
from attn_plugins.layers.place import Place
from attn_plugins.ops.attention import attend, join_heads, map_of_rows, rows_of_heads, split_heads
from attn_plugins.ops.attention_in_parts import attend_in_parts
from attn_plugins.ops.mode import runs_eagerly
from attn_plugins.ops.residual import add_branch
from attn_plugins.registry import MODELS

# A symbolic trace must not look inside this function: it reads the device.
torch.fx.wrap('attend')


class ProjectedAttention(Layer, ABC):
    """y = x + gamma * attend(W_q x + b_q, W_k x + b_k, W_v x + b_v), gamma = 0 at the start.

    PAM and CrissCross differ in the places that `attend` reads.

    Args:
        in_channels (int): C.
        reduction (int): C / d, d the channels of query and key.
    """

    official_names = {
        'query_conv': 'query',
        'key_conv': 'key',
        'value_conv': 'value',
        'gamma': 'gamma',
        'gamma.scale': 'gamma',
    }

    def __init__(self, in_channels: int, reduction: int = 8):
        super().__init__(in_channels)
        hidden = hidden_channels(in_channels, reduction)
        self.query = nn.Conv2d(in_channels, hidden, 1)
        self.key = nn.Conv2d(in_channels, hidden, 1)
        self.value = nn.Conv2d(in_channels, in_channels, 1)
        self.gamma = nn.Parameter(self.value.weight.new_zeros(1))

    def init_weights(self) -> None:
        """Initialises as published: torch's default for the convolutions, gamma = 0."""
        for conv in (self.query, self.key, self.value):
            conv.reset_parameters()
        nn.init.zeros_(self.gamma)

    @abstractmethod
    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Attends from every place: (N, d, H, W), (N, d, H, W), (N, C, H, W) -> (N, C, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        return add_branch(x, self.attend(self.query(x), self.key(x), self.value(x)), self.gamma)


@MODELS.register_module()
class PAM(ProjectedAttention):
    """Every place attends to every place.

    Equation:
        y_i = x_i + gamma sum_j softmax_j(q_i . k_j) v_j
        q, k, v = W_q x + b_q, W_k x + b_k, W_v x + b_v

    q and k have d = C // reduction channels. gamma = 0 at the start, so the layer starts as the identity.

    Parameters: 2 (C d + d) + C^2 + C + 1; 1.25 C^2 + 1.25 C + 1 by default.

    Deviations: None known in the results; the (H W)^2 map of the authors' code is not held where torch's
    scaled_dot_product_attention has a fused kernel.

    The products are not scaled, as published.

    Args:
        in_channels (int): C.
        reduction (int): C // d.

    Raises:
        ValueError: The reduction leaves no channel.
    """

    _abbr_ = 'attn_pam'
    place = Place(
        "In DANet's segmentation head only: PAM and CAM stand side by side, each between two 3x3 convolutions.",
        plugins=[dict(replace='pam')],
        read_in='junfu1115/DANet: encoding/models/sseg/danet.py',
        host=dict(type='DAHead'),
        library='mmseg',
    )
    examples = [dict(reduction=2)]

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Attends to all places: (N, d, H, W), (N, d, H, W), (N, C, H, W) -> (N, C, H, W)."""
        if runs_eagerly(query) and query.is_cpu:
            # The CPU's fused kernel needs one width, which would be that of the values.
            rows, _ = attend_in_parts(*(rows_of_heads(x, 1) for x in (query, key, value)))
            return map_of_rows(rows, value.shape[2], value.shape[3])
        rows = attend(split_heads(query), split_heads(key), split_heads(value))
        return join_heads(rows, value.shape[2], value.shape[3])
