"""What criss-cross attention and DANet's position attention share: query, key and value, and a residual from zero."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from attn_plugins.layers.hidden import hidden_channels
from attn_plugins.layers.layer import Layer
from attn_plugins.ops.residual import add_branch


class ProjectedAttention(Layer, ABC):
    """y = x + gamma * attend(W_q x + b_q, W_k x + b_k, W_v x + b_v), gamma = 0 at the start.

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
        """As published: torch's default for the convolutions, gamma = 0."""
        for conv in (self.query, self.key, self.value):
            conv.reset_parameters()
        nn.init.zeros_(self.gamma)

    @abstractmethod
    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """(N, d, H, W), (N, d, H, W), (N, C, H, W) -> (N, C, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        return add_branch(x, self.attend(self.query(x), self.key(x), self.value(x)), self.gamma)
