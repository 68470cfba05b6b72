"""Spatial Group-wise Enhance (Li et al., 2019, arXiv:1905.09646). Checked against implus/PytorchInsight 2864528."""

import torch
from torch import Tensor, nn

from attn_plugins.layers.checks import check_groups, follows_code
from attn_plugins.layers.layer import Layer
from attn_plugins.layers.place import Place
from attn_plugins.ops.fused import fused
from attn_plugins.ops.group_similarity import SimilarityGate
from attn_plugins.registry import MODELS


@MODELS.register_module()
class SGE(Layer):
    """Spatial group-wise enhancement: in each group of channels a gate per place, by its likeness to the group's mean.

    Equation:
        y_i = x_i * sigmoid(w_g t'_i + b_g)
        t' = (t - mean_hw t) / (std_hw t + 1e-5)
        t_i = <mean_hw x, x_i>, over the group's channels

    It starts at sigmoid(1) = 0.731 everywhere: w = 0, b = 1.

    Parameters: 2 G.

    Deviations: the authors' code has the unbiased standard deviation (H W - 1), the written formula the biased one:
    `variant`. On a 1x1 map t' = 0 (the authors' code gives nan).

    Args:
        in_channels (int): C, divisible by `groups`.
        groups (int): G.
        variant (str): 'code' (the published numbers) or 'paper'.
    """

    _abbr_ = 'attn_sge'
    place = Place(
        'After the last norm of every residual block, before the addition.',
        plugins=[dict(position='after_conv3')],
        read_in='implus/PytorchInsight: classification/models/imagenet/resnet_sge.py',
    )
    examples = [dict(groups=4), dict(groups=4, variant='paper')]
    official_names = {'weight': 'weight', 'bias': 'bias'}

    def __init__(self, in_channels: int, groups: int = 64, variant: str = 'code'):
        super().__init__(in_channels)
        check_groups('groups', groups, in_channels)
        self.gate = SimilarityGate(groups, 1e-5, unbiased=follows_code(variant))
        self.weight = nn.Parameter(torch.empty(groups))
        self.bias = nn.Parameter(torch.empty(groups))
        self.init_weights()

    def init_weights(self) -> None:
        """Initialises as published: w = 0, b = 1."""
        nn.init.zeros_(self.weight)
        nn.init.ones_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        return fused(self.gate, x, self.weight, self.bias)
