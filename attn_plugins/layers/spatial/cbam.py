"""Convolutional Block Attention Module (Woo et al., ECCV 2018, arXiv:1807.06521).

Checked against Jongchan/attention-module 459efad.
"""

import torch
from torch import Tensor, nn

from attn_plugins.layers.channel.attention import ChannelAttention
from attn_plugins.layers.checks import check_kernel_size
from attn_plugins.layers.layer import Layer
from attn_plugins.layers.place import Place
from attn_plugins.ops.gating import gated
from attn_plugins.ops.plane_gating import PlaneGating
from attn_plugins.registry import MODELS


class SpatialGate(nn.Module):
    """sigmoid(BN(conv_kxk([max; mean]))), one gate per place of a plane (`PlaneGating`).

    Args:
        kernel_size (int): k, odd.
    """

    def __init__(self, kernel_size: int):
        super().__init__()
        check_kernel_size(kernel_size)
        self.conv = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2, bias=False)
        self.norm = nn.BatchNorm2d(1, momentum=0.01)

    def init_weights(self) -> None:
        """Initialises as published: the norm starts at zero, so the gate starts at 0.5 everywhere."""
        nn.init.kaiming_normal_(self.conv.weight, mode='fan_out')
        nn.init.zeros_(self.norm.weight)
        nn.init.zeros_(self.norm.bias)

    def forward(self, max_mean: Tensor) -> Tensor:
        """(N, 2, H, W) -> (N, 1, H, W)."""
        return torch.sigmoid(self.norm(self.conv(max_mean)))


@MODELS.register_module()
class CBAM(Layer):
    """Convolutional block attention: a gate per channel, then a gate per place.

    Equation:
        y = x' * sigmoid(BN(conv_kxk([max_c x'; mean_c x'])))
        x' = x * sigmoid(MLP(mean_hw x) + MLP(max_hw x))
        MLP(z) = W2 relu(W1 z + b1) + b2

    Parameters: 2 C m + m + C + 2 k^2 + 2 with m = C // reduction.

    Deviations: the authors' code, which is followed, has a batch norm after the spatial convolution; the paper's
    formula, as quoted at paperswithcode.com/method/spatial-attention-module, has none.

    Args:
        in_channels (int): C.
        reduction (int): C // m.
        kernel_size (int): k of the spatial convolution.
        spatial (bool): Whether the spatial gate is there.
    """

    _abbr_ = 'attn_cbam'
    place = Place(
        'After the last norm of every residual block, before the addition.',
        plugins=[dict(position='after_conv3')],
        read_in='Jongchan/attention-module: MODELS/model_resnet.py',
    )
    examples = [dict(reduction=4), dict(reduction=4, spatial=False)]
    official_names = {
        'ChannelGate.mlp.1': 'channel.excitation.fc1',
        'ChannelGate.mlp.3': 'channel.excitation.fc2',
        'SpatialGate.spatial.conv': 'spatial.conv',
        'SpatialGate.spatial.bn': 'spatial.norm',
    }

    def __init__(self, in_channels: int, reduction: int = 16, kernel_size: int = 7, spatial: bool = True):
        super().__init__(in_channels)
        excitation = dict(type='fc', reduction=reduction)
        self.channel = ChannelAttention(in_channels, squeeze=['mean', 'max'], excitation=excitation)
        self.spatial = SpatialGate(kernel_size) if spatial else None
        self.gating = PlaneGating('c')
        self.init_weights()

    def init_weights(self) -> None:
        """Initialises as in the authors' ResNet.

        The MLP's weights have torch's default, its biases are zero, and the spatial gate is flat.
        """
        self.channel.init_weights()
        nn.init.zeros_(self.channel.excitation.fc1.bias)
        nn.init.zeros_(self.channel.excitation.fc2.bias)
        if self.spatial is not None:
            self.spatial.init_weights()

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        x = self.channel(x)
        return x if self.spatial is None else gated(self.gating, x, lambda plane: (self.spatial(plane),))
