"""Bottleneck Attention Module (Park et al., BMVC 2018, arXiv:1807.06514).

Checked against Jongchan/attention-module 459efad (structure) and implus/PytorchInsight 2864528, which repairs an
undefined name in it (numbers).
"""

import torch
from torch import Tensor, nn

from attn_plugins.layers.checks import check_batch_size, follows_code, hidden_channels
from attn_plugins.layers.layer import Layer
from attn_plugins.layers.place import Place
from attn_plugins.ops.gating import gated
from attn_plugins.ops.logit_gating import LogitGating
from attn_plugins.registry import MODELS


class ChannelBranch(nn.Module):
    """W2 relu(BN(W1 mean_hw(x) + b1)) + b2, one logit per channel.

    Args:
        in_channels (int): C.
        hidden (int): m.
    """

    def __init__(self, in_channels: int, hidden: int):
        super().__init__()
        self.fc1 = nn.Linear(in_channels, hidden)
        self.norm = nn.BatchNorm1d(hidden)
        self.fc2 = nn.Linear(hidden, in_channels)

    def init_weights(self) -> None:
        """Initialises as in the authors' ResNet: torch's default for the weights, zero biases, plain batch norm."""
        for layer in (self.fc1, self.fc2):
            layer.reset_parameters()
            nn.init.zeros_(layer.bias)
        self.norm.reset_parameters()

    def forward(self, mean: Tensor) -> Tensor:
        """Computes one logit per channel from the mean over space, (N, C) -> (N, C)."""
        hidden = self.fc1(mean)
        check_batch_size(hidden, self.norm)
        return self.fc2(torch.relu(self.norm(hidden)))


class SpatialBranch(nn.Module):
    """conv1x1, two dilated conv3x3, each with batch norm and ReLU, and a last conv1x1: one logit per place.

    Args:
        in_channels (int): C.
        hidden (int): m.
        dilation (int): Of the two 3x3 convolutions.
    """

    def __init__(self, in_channels: int, hidden: int, dilation: int):
        super().__init__()
        self.reduce = nn.Conv2d(in_channels, hidden, 1)
        self.reduce_norm = nn.BatchNorm2d(hidden)
        self.conv1 = nn.Conv2d(hidden, hidden, 3, padding=dilation, dilation=dilation)
        self.norm1 = nn.BatchNorm2d(hidden)
        self.conv2 = nn.Conv2d(hidden, hidden, 3, padding=dilation, dilation=dilation)
        self.norm2 = nn.BatchNorm2d(hidden)
        self.out = nn.Conv2d(hidden, 1, 1)

    def init_weights(self) -> None:
        """Initialises as in the authors' ResNet: convolutions N(0, 2 / fan_out), zero biases, plain batch norms."""
        for module in self.children():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode='fan_out')
                nn.init.zeros_(module.bias)
            else:
                module.reset_parameters()

    def forward(self, reduced: Tensor) -> Tensor:
        """Computes one logit per place from the output of `reduce`, (N, m, H, W) -> (N, 1, H, W)."""
        x = torch.relu(self.reduce_norm(reduced))
        x = torch.relu(self.norm1(self.conv1(x)))
        return self.out(torch.relu(self.norm2(self.conv2(x))))


@MODELS.register_module()
class BAM(Layer):
    """Bottleneck Attention Module: a map of gates from a branch over channels and a branch over places.

    Equation:
        y = x * (1 + sigmoid(M_c(x) * M_s(x)))
        M_c(x) = W2 relu(BN(W1 mean_hw(x) + b1)) + b2, (N, C, 1, 1)
        M_s(x) = conv1x1(R(conv3x3(R(conv3x3(R(conv1x1(x))))))), (N, 1, H, W), with R(x) = relu(BN(x))

    Both 3x3 convolutions are dilated. With `variant='paper'` the branches are added: sigmoid(M_c(x) + M_s(x)).

    Parameters: 3 C m + 18 m^2 + 13 m + C + 1 with m = C // reduction.

    Deviations: the authors' code multiplies the two branches (`variant='code'`, checked against it). `variant='paper'`
    adds them, the form of the description at vietanh.dev/glossary/bam (from Papers with Code), and changes nothing
    else; that description also ends each branch with a batch norm. The authors' pooling reads square maps only; here
    any H x W.

    In training the batch norm of the channel branch sees one value per sample, so it needs N > 1; evaluation does not.

    Args:
        in_channels (int): C.
        reduction (int): C // m.
        dilation (int): Of the 3x3 convolutions.
        variant (str): 'code' (product) or 'paper' (sum).

    Raises:
        ValueError: The reduction leaves no channel, the dilation is no distance, the variant is unknown.
    """

    _abbr_ = 'attn_bam'
    place = Place(
        'Between the stages, once after each of the first three, not inside the blocks.',
        plugins=[dict(position='stage_output', stages=(True, True, True, False))],
        read_in='Jongchan/attention-module: MODELS/bam.py',
    )
    examples = [dict(reduction=4), dict(reduction=4, variant='paper')]
    official_names = {
        'channel_att.gate_c.gate_c_fc_0': 'channel.fc1',
        'channel_att.gate_c.gate_c_bn_1': 'channel.norm',
        'channel_att.gate_c.gate_c_fc_final': 'channel.fc2',
        'spatial_att.gate_s.gate_s_conv_reduce0': 'spatial.reduce',
        'spatial_att.gate_s.gate_s_bn_reduce0': 'spatial.reduce_norm',
        'spatial_att.gate_s.gate_s_conv_di_0': 'spatial.conv1',
        'spatial_att.gate_s.gate_s_bn_di_0': 'spatial.norm1',
        'spatial_att.gate_s.gate_s_conv_di_1': 'spatial.conv2',
        'spatial_att.gate_s.gate_s_bn_di_1': 'spatial.norm2',
        'spatial_att.gate_s.gate_s_conv_final': 'spatial.out',
    }

    def __init__(self, in_channels: int, reduction: int = 16, dilation: int = 4, variant: str = 'code'):
        super().__init__(in_channels)
        if dilation < 1:
            raise ValueError(f'dilation={dilation} must be at least 1: the published one is 4')
        hidden = hidden_channels(in_channels, reduction)
        self.product = follows_code(variant)
        self.channel = ChannelBranch(in_channels, hidden)
        self.spatial = SpatialBranch(in_channels, hidden, dilation)
        self.gating = LogitGating(plus_one=True)
        self.init_weights()

    def init_weights(self) -> None:
        """Restores the published initialisation of both branches."""
        self.channel.init_weights()
        self.spatial.init_weights()

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        return gated(self.gating, x, self._logits, self.spatial.reduce.weight, self.spatial.reduce.bias)

    def _logits(self, mean: Tensor, reduced: Tensor) -> tuple[Tensor, ...]:
        """Computes the logits from the mean, (N, C), and the reduced map, (N, m, H, W).

        Returns the term added per channel, the factor per channel of the logits per place, and these logits.
        """
        channel, local = self.channel(mean), self.spatial(reduced)
        if self.product:
            return torch.zeros_like(channel), channel, local
        return channel, torch.ones_like(channel), local
