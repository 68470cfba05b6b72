"""Style-based Recalibration Module (Lee et al., ICCV 2019, arXiv:1903.10829).

Checked against hyunjaelee410/style-based-recalibration-module f6221c7.
"""

import torch
from torch import Tensor, nn

from attn_plugins.layers.channel.attention import ChannelAttention
from attn_plugins.layers.channel.parts.squeeze import Squeeze
from attn_plugins.layers.checks import check_batch_size, follows_code
from attn_plugins.layers.place import Place
from attn_plugins.ops.statistics import (
    MeanVariance,
)
from attn_plugins.registry import EXCITATIONS, MODELS, SQUEEZES


@SQUEEZES.register_module('std')
class StdSqueeze(Squeeze):
    """z_nc = sqrt(var_hw(x_nchw) + eps); a 1x1 map has variance 0.

    Args:
        in_channels (int): Channels of the map; any number works.
        eps (float): Added to the variance.
        unbiased (bool): Whether the variance divides by H W - 1 instead of H W.
    """

    def __init__(self, in_channels: int, eps: float = 1e-5, unbiased: bool = True):
        super().__init__(in_channels, MeanVariance(unbiased))
        self.eps = eps

    def forward(self, mean: Tensor, variance: Tensor) -> Tensor:
        """(N, C) twice -> (N, C)."""
        return (variance + self.eps).sqrt()


@SQUEEZES.register_module('mean_std')
class MeanStdSqueeze(StdSqueeze):
    """The style of SRM, z_nc = [mean_hw(x_nchw), sqrt(var_hw(x_nchw) + eps)], in one pass over the map.

    Args:
        in_channels (int): Channels of the map; any number works.
        eps (float): Added to the variance.
        unbiased (bool): Whether the variance divides by H W - 1 instead of H W.
    """

    features = 2

    def forward(self, mean: Tensor, variance: Tensor) -> Tensor:
        """(N, C) twice -> (N, C, 2)."""
        return torch.stack((mean, (variance + self.eps).sqrt()), 2)


@EXCITATIONS.register_module('style')
class StyleExcitation(nn.Module):
    """The style integration of SRM, e = BN(sum_k w_ck z_ck): each channel weighs its own values.

    Parameters: K C + 2 C. In training the batch norm needs more than one sample: N > 1.

    Args:
        in_channels (int): C.
        features (int): K.
    """

    def __init__(self, in_channels: int, features: int = 1):
        super().__init__()
        self.features = features
        self.weight = nn.Parameter(torch.empty(in_channels, features))
        self.norm = nn.BatchNorm1d(in_channels)
        self.init_weights()

    def init_weights(self) -> None:
        """Initialises as published: weights 0, a plain batch norm."""
        nn.init.zeros_(self.weight)
        self.norm.reset_parameters()

    def forward(self, descriptor: Tensor) -> Tensor:
        """(N, C) or (N, C, K) -> (N, C)."""
        if self.features == 1:
            descriptor = descriptor[:, :, None]
        check_batch_size(descriptor, self.norm)
        return self.norm((descriptor * self.weight).sum(2))


@MODELS.register_module()
class SRM(ChannelAttention):
    """Style-based recalibration: a gate per channel from the channel's own mean and deviation.

    Equation:
        y = x * sigmoid(BN(w_c1 mean_hw(x) + w_c2 std_hw(x)))
        std_hw(x) = sqrt(var_hw(x) + 1e-5)

    There are two weights per channel. The gate starts at 0.5 everywhere.

    Parameters: 4 C.

    Deviations: the authors' code divides the variance by H W - 1 (`variant='code'`, checked against it).
    `variant='paper'` divides by H W, the plain variance of the map's values; the paper itself was not checked. A 1x1
    map has variance 0 (the authors' code gives nan).

    In training the batch norm needs more than one sample: N > 1. The authors train weights and batch norm without
    weight decay.

    Args:
        in_channels (int): C.
        variant (str): 'code' (the published numbers) or 'paper'.
    """

    _abbr_ = 'attn_srm'
    place = Place(
        'After the last norm of every residual block, before the addition.',
        plugins=[dict(position='after_conv3')],
        read_in='hyunjaelee410/style-based-recalibration-module: models/resnet.py',
    )
    examples = [dict(), dict(variant='paper')]
    official_names = {'cfc': 'excitation.weight', 'bn': 'excitation.norm'}

    def __init__(self, in_channels: int, variant: str = 'code'):
        squeeze = dict(type='mean_std', unbiased=follows_code(variant))
        super().__init__(in_channels, squeeze=squeeze, excitation='style')
