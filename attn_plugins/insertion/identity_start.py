"""`start='identity'`: a layer starts as the identity, and training decides how much it contributes."""

import torch
from torch import Tensor, nn

from attn_plugins.layers.norm.base import NormLayer
from attn_plugins.layers.state_dict_keys import Wrapper


class IdentityStart(Wrapper):
    """y = x + a (layer(x) - x) with one learnable number a, which starts at 0.

    With a plain checkpoint of the host, the model computes the same as the plain host, bit for bit, before the first
    step. For a norm layer x stands for the output of its batch norm.

    Args:
        layer (nn.Module): The layer, shape preserving.
    """

    def __init__(self, layer: nn.Module):
        super().__init__()
        self.wrapped = layer
        self.attn_start = nn.Parameter(torch.zeros(()))

    def init_weights(self) -> None:
        """Sets a = 0; the layer initialises itself."""
        nn.init.zeros_(self.attn_start)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        leaf = self.attn_fx_node(x)
        if leaf is not None:
            return leaf
        layer = self.wrapped
        if isinstance(layer, NormLayer):
            plain = layer.bn(x)
            changed = layer.adapt(x, plain)
        else:
            plain, changed = x, layer(x)
        return plain + self.attn_start.to(plain.dtype) * (changed - plain)
