"""Efficient Channel Attention (Wang et al., CVPR 2020, arXiv:1910.03151). Checked against BangguWu/ECANet b332f6b."""

import math

from torch import Tensor, nn

from attn_plugins.layers.channel.attention import ChannelAttention
from attn_plugins.layers.checks import check_kernel_size
from attn_plugins.layers.place import Place
from attn_plugins.registry import EXCITATIONS, MODELS


@EXCITATIONS.register_module('conv1d')
class Conv1dExcitation(nn.Module):
    """The local cross-channel interaction of ECA: e = conv1d_k(z) along the channels, without bias.

    Parameters: k K. By default k follows the channels: t = int(|(log2 C + 1) / 2|), k = t if t is odd, else t + 1.

    Args:
        in_channels (int): C.
        kernel_size (int, optional): k, odd; None computes it from C.
        features (int): K.
    """

    def __init__(self, in_channels: int, kernel_size: int | None = None, features: int = 1):
        super().__init__()
        if kernel_size is None:
            kernel_size = int(abs((math.log2(in_channels) + 1) / 2)) // 2 * 2 + 1
        check_kernel_size(kernel_size)
        self.conv = nn.Conv1d(features, 1, kernel_size, padding=kernel_size // 2, bias=False)

    def init_weights(self) -> None:
        """Draws the kernel anew by torch's default for convolutions."""
        self.conv.reset_parameters()

    def forward(self, descriptor: Tensor) -> Tensor:
        """(N, C) or (N, C, K) -> (N, C)."""
        signals = descriptor[:, None] if self.conv.in_channels == 1 else descriptor.transpose(1, 2)
        return self.conv(signals.to(self.conv.weight.dtype))[:, 0]


@MODELS.register_module()
class ECA(ChannelAttention):
    """Efficient channel attention: a gate per channel from the means of its neighbours.

    Equation:
        y = x * sigmoid(conv1d_k(z))
        z = mean_hw(x)

    The convolution runs along the channels and has no bias.

    Parameters: the kernel's, k.

    Deviations: the authors' code takes k per stage from a list (ResNet-50: 3, 5, 5, 7), which is `kernel_size=` here.
    By default k is the odd number nearest to |(log2 C + 1) / 2|, the paper's rule as quoted at paperswithcode2.com,
    method 2654, with the rounding of Qrange-group/SEM db5e194 (`Conv1dExcitation`).

    Args:
        in_channels (int): C.
        kernel_size (int, optional): k, odd; None computes it from C.
    """

    _abbr_ = 'attn_eca'
    place = Place(
        'After the last norm of every residual block, before the addition. In MobileNetV2 after the '
        "projection's norm: `position='after_linear'`.",
        plugins=[dict(position='after_conv3')],
        read_in='BangguWu/ECANet: models/eca_resnet.py, models/eca_mobilenetv2.py',
    )
    examples = [dict()]
    official_names = {'conv': 'excitation.conv'}

    def __init__(self, in_channels: int, kernel_size: int | None = None):
        super().__init__(in_channels, squeeze='mean', excitation=dict(type='conv1d', kernel_size=kernel_size))
