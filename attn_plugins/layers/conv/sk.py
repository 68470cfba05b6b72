"""Selective-kernel convolution (Li et al., CVPR 2019, arXiv:1903.06586). Read from implus/SKNet 17dd708."""

from functools import reduce

import torch
from torch import Tensor, nn

from attn_plugins.layers.checks import check_batch_size
from attn_plugins.layers.conv.base import ConvLike, Size
from attn_plugins.layers.place import Place
from attn_plugins.ops.pool import global_mean
from attn_plugins.ops.recalibrate import recalibrate
from attn_plugins.registry import MODELS


class SKBranch(nn.Module):
    """relu(BN(conv(x))).

    Args:
        conv (nn.Conv2d): The branch's convolution.
    """

    def __init__(self, conv: nn.Conv2d):
        super().__init__()
        self.conv = conv
        self.norm = nn.BatchNorm2d(conv.out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H', W')."""
        return torch.relu(self.norm(self.conv(x)))


@MODELS.register_module()
class SKConv(ConvLike):
    """Selective-kernel convolution: each output channel chooses between kernels of different reach.

    Equation:
        y = sum_i a_i * U_i
        a = softmax_i(W2 relu(BN(W1 mean_hw(U))))
        U = sum_i U_i
        U_i = relu(BN(conv_i(x))), where conv_i has (i + 1) times the dilation

    Parameters: M (k^2 C C' / groups + 2 C') + C' d + 2 d + M C' d with d = max(min_channels, C' // reduction); with
    bias M C' more.

    Deviations: None known from the authors' network of 50 layers, where d is 32 at 128, 256 and 512 channels and 64 at
    1024. Their network of 101 layers has d = 16 at 256 channels (`min_channels=16`) and the others as here.

    The choice starts near even: W1 and W2 are N(0, 0.01^2), so in training two logits of a channel differ by about
    0.01 sqrt(d), which is 0.06 for d = 32.

    Only the authors' Caffe description of the network was read, so the layer is checked against an independent formula;
    there is no map of weight names. The official network is a ResNeXt (`groups=32`) whose 3x3 convolutions it
    replaces. In training the batch norm of the descriptor sees one value per sample, so it needs N > 1; evaluation
    does not.

    Args:
        in_channels (int): C.
        out_channels (int): C'.
        kernel_size (int or tuple): k, odd.
        stride (int or tuple): As in `nn.Conv2d`.
        padding (int or tuple): That of the first branch; the others have what their dilation needs.
        dilation (int or tuple): That of the first branch.
        groups (int): Of each branch's convolution.
        bias (bool): Whether these have a bias; the published ones have none, a batch norm follows.
        branches (int): M, at least 2.
        reduction (int): C' // d.
        min_channels (int): The least d.

    Raises:
        ValueError: There is nothing to choose from, the kernel has no reach or no centre, the groups do not divide.
    """

    _abbr_ = 'attn_sk'
    place = Place(
        'In place of the 3x3 convolutions of a ResNeXt.',
        plugins=[dict(replace='**.conv2')],
        read_in='implus/SKNet: models/sknet50.prototxt',
        host=dict(type='ResNeXt', groups=32, base_width=4),
    )
    examples = [dict(min_channels=4), dict(min_channels=4, branches=3, groups=4, bias=True)]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = False,
        branches: int = 2,
        reduction: int = 16,
        min_channels: int = 32,
    ):
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, groups)
        if branches < 2:
            raise ValueError(f'branches={branches} leaves nothing to select from: use at least 2')
        if self.kernel_size[0] == 1:
            raise ValueError('kernel_size=1 has no reach, so all branches would see the same: use 3')
        if reduction < 1 or min_channels < 1:
            raise ValueError(f'reduction={reduction} and min_channels={min_channels} must be at least 1')
        hidden = max(min_channels, out_channels // reduction)
        self.branches = nn.ModuleList(SKBranch(self._branch_conv(i + 1, bias)) for i in range(branches))
        self.fc1 = nn.Linear(out_channels, hidden, bias=False)
        self.norm = nn.BatchNorm1d(hidden)
        self.fc2 = nn.Linear(hidden, branches * out_channels, bias=False)
        self.init_weights()

    def _branch_conv(self, times: int, bias: bool) -> nn.Conv2d:
        dilation = tuple(times * step for step in self.dilation)
        grown = [(times - 1) * step * (self.kernel_size[0] // 2) for step in self.dilation]
        padding = tuple(old + more for old, more in zip(self.padding, grown, strict=True))
        sizes = (self.kernel_size, self.stride, padding, dilation)
        return nn.Conv2d(self.in_channels, self.out_channels, *sizes, self.groups, bias)

    def init_weights(self) -> None:
        """Initialises as described.

        Convolutions are N(0, 2 / fan_in), biases zero, the choice N(0, 0.01^2), and the batch norms plain.
        """
        for branch in self.branches:
            nn.init.kaiming_normal_(branch.conv.weight, nonlinearity='relu')
            if branch.conv.bias is not None:
                nn.init.zeros_(branch.conv.bias)
            branch.norm.reset_parameters()
        for layer in (self.fc1, self.fc2):
            nn.init.normal_(layer.weight, std=0.01)
        self.norm.reset_parameters()

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H', W')."""
        maps = [branch(x) for branch in self.branches]
        descriptor = global_mean(reduce(torch.add, maps))
        hidden = self.fc1(descriptor)
        check_batch_size(hidden, self.norm)
        logits = self.fc2(torch.relu(self.norm(hidden)))
        weights = logits.unflatten(1, (len(maps), self.out_channels)).softmax(1)
        weights = weights[:, :, :, None, None]
        return reduce(torch.add, [recalibrate(each, weights[:, i]) for i, each in enumerate(maps)])
