"""Gated Channel Transformation (Yang et al., CVPR 2020, arXiv:1909.11519). Checked against z-x-yang/GCT 68983ed."""

import torch
import torch.fx
from torch import Tensor, nn

from attn_plugins.layers.channel.attention import ChannelAttention
from attn_plugins.layers.channel.parts.squeeze import Squeeze
from attn_plugins.layers.place import Place
from attn_plugins.ops.pool import at_least_float32
from attn_plugins.ops.statistics import (
    AbsoluteSum,
    SquareSum,
)
from attn_plugins.registry import EXCITATIONS, MODELS, SQUEEZES

# A symbolic trace must not look inside this function: it reads the dtype.
torch.fx.wrap('at_least_float32')


@SQUEEZES.register_module('l1')
class L1Squeeze(Squeeze):
    """z_nc = sum_hw |x_nchw|, a sum and not a mean (GCT); float32 for a map in half precision, which it would overflow.

    Args:
        in_channels (int): Channels of the map; any number works.
    """

    def __init__(self, in_channels: int):
        super().__init__(in_channels, AbsoluteSum())


@SQUEEZES.register_module('l2')
class L2Squeeze(Squeeze):
    """z_nc = sqrt(sum_hw x_nchw^2 + eps) (GCT); float32 for a map in half precision, which the squares would overflow.

    Args:
        in_channels (int): Channels of the map; any number works.
        eps (float): Added to the sum.
    """

    def __init__(self, in_channels: int, eps: float = 1e-5):
        super().__init__(in_channels, SquareSum())
        self.eps = eps

    def forward(self, square_sum: Tensor) -> Tensor:
        """(N, C) -> (N, C)."""
        return (square_sum + self.eps).sqrt()


@EXCITATIONS.register_module('normalized_scale')
class NormalizedScaleExcitation(nn.Module):
    """The channel normalisation of GCT: s = alpha z, e_c = gamma_c s_c / norm(s) + beta_c.

    norm(s) is sqrt(mean_c s_c^2 + eps) for p = 2 and mean_c |s_c| + eps for p = 1. It starts at alpha = 1, gamma =
    beta = 0.
    Parameters: 3 C.

    Args:
        in_channels (int): C.
        p (int): 2 or 1.
        eps (float): In the norm.
    """

    def __init__(self, in_channels: int, p: int = 2, eps: float = 1e-5):
        super().__init__()
        if p not in (1, 2):
            raise ValueError(f'p={p} must be 1 or 2')
        self.p = p
        self.eps = eps
        self.alpha = nn.Parameter(torch.empty(in_channels))
        self.gamma = nn.Parameter(torch.empty(in_channels))
        self.beta = nn.Parameter(torch.empty(in_channels))
        self.init_weights()

    def init_weights(self) -> None:
        """Initialises as published: alpha 1, gamma and beta 0."""
        nn.init.ones_(self.alpha)
        nn.init.zeros_(self.gamma)
        nn.init.zeros_(self.beta)

    def forward(self, descriptor: Tensor) -> Tensor:
        """(N, C) -> (N, C)."""
        scaled = at_least_float32(self.alpha) * at_least_float32(descriptor)
        if self.p == 2:
            norm = (scaled.square().mean(1, keepdim=True) + self.eps).sqrt()
        else:
            norm = scaled.abs().mean(1, keepdim=True) + self.eps
        return self.gamma * (scaled / norm) + self.beta


@MODELS.register_module()
class GCT(ChannelAttention):
    """Gated channel transformation: channels compete or support each other through one norm over all of them.

    Equation:
        y = x * (1 + tanh(gamma_c s_c / sqrt(mean_c s_c^2 + eps) + beta_c))
        s_c = alpha_c sqrt(sum_hw x^2 + eps)

    With `mode='l1'` s_c = alpha_c sum_hw |x|, divided by mean_c |s_c| + eps. It starts as the identity: alpha = 1,
    gamma = beta = 0.

    Parameters: 3 C.

    Deviations: the authors' l1 mode can leave out the absolute value after a ReLU (`after_relu`), where it changes
    nothing; here it is always taken.

    The authors put it before every convolution and train beta without weight decay.

    Args:
        in_channels (int): C.
        mode (str): 'l2' or 'l1'.
        eps (float): In both roots.
    """

    _abbr_ = 'attn_gct'
    place = Place(
        'Before every convolution, also that of the stem and those of the projection shortcuts.',
        plugins=[dict(before='**.conv*'), dict(before='**.downsample.0')],
        read_in='z-x-yang/GCT: PyTorch/resnet.py',
    )
    examples = [dict(), dict(mode='l1')]
    official_names = {
        'alpha': 'excitation.alpha',
        'gamma': 'excitation.gamma',
        'beta': 'excitation.beta',
    }

    def __init__(self, in_channels: int, mode: str = 'l2', eps: float = 1e-5):
        if mode not in ('l1', 'l2'):
            raise ValueError(f"mode={mode!r} must be 'l1' or 'l2'")
        squeeze = dict(type='l2', eps=eps) if mode == 'l2' else 'l1'
        excitation = dict(type='normalized_scale', p=int(mode[1]), eps=eps)
        super().__init__(in_channels, squeeze=squeeze, excitation=excitation, gate='one_plus_tanh')
