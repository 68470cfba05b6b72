"""Reference gates per channel, and norms with them, in the way of their authors' code: one operator per step.

Written anew from the equations in the layers' docstrings, which name the authors' repositories. Weights are the
layers'.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attn_plugins.ops.instance_enhance import iebn_as_published
from benchmarks.layers.references.reference import AUTHORS, Reference


class PublishedSE(nn.Module):
    """hyunjaelee410/style-based-recalibration-module: linear layers on a pooled vector, the gate expanded to the
    map.
    """

    def __init__(self, channels: int, hidden: int, bias: bool = True):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.reduce = nn.Linear(channels, hidden, bias=bias)
        self.restore = nn.Linear(hidden, channels, bias=bias)

    def squeeze(self, x: Tensor) -> Tensor:
        """Pools the map: (N, C, H, W) -> (N, C)."""
        return self.pool(x).flatten(1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        gate = torch.sigmoid(self.restore(torch.relu(self.reduce(self.squeeze(x)))))
        return x * gate[:, :, None, None].expand_as(x)


class PublishedFCA(PublishedSE):
    """cfzd/FcaNet: the pooled map times the whole bases, summed."""

    def __init__(self, channels: int, hidden: int, bases: Tensor):
        super().__init__(channels, hidden, bias=False)
        self.register_buffer('bases', bases)

    def squeeze(self, x: Tensor) -> Tensor:
        """Pools the map: (N, C, H, W) -> (N, C)."""
        if x.shape[2:] != self.bases.shape[1:]:
            x = F.adaptive_avg_pool2d(x, tuple(self.bases.shape[1:]))
        return (x * self.bases).sum((2, 3))


class PublishedECA(nn.Module):
    """BangguWu/ECANet: a convolution along the pooled channels."""

    def __init__(self, kernel_size: int):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.conv = nn.Conv1d(1, 1, kernel_size, padding=kernel_size // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        signal = self.pool(x).squeeze(3).transpose(1, 2)
        gate = torch.sigmoid(self.conv(signal).transpose(1, 2)[..., None])
        return x * gate.expand_as(x)


class PublishedSEM(nn.Module):
    """Qrange-group/SEM: three excitations, each times its switch, then a product of three sigmoids."""

    def __init__(self, channels: int, hidden: int, kernel_size: int):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.switch = nn.Linear(channels, 3)
        self.reduce = nn.Linear(channels, hidden)
        self.restore = nn.Linear(hidden, channels)
        self.conv = nn.Conv1d(1, 1, kernel_size, padding=kernel_size // 2, bias=False)
        self.weight = nn.Parameter(torch.zeros(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        z = self.pool(x).flatten(1)
        share = torch.sigmoid(self.switch(z))
        dense = self.restore(torch.relu(self.reduce(z)))
        local = self.conv(z[:, None])[:, 0]
        own = self.weight * z + self.bias
        gate = torch.sigmoid(share[:, :1] * dense)
        gate = gate * torch.sigmoid(share[:, 1:2] * local) * torch.sigmoid(share[:, 2:] * own)
        return x * gate[:, :, None, None].expand_as(x)


class PublishedSRM(nn.Module):
    """hyunjaelee410/style-based-recalibration-module: mean and variance one after the other, a norm of 1x1 maps."""

    def __init__(self, channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(channels, 2))
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        rows = x.flatten(2)
        style = torch.stack((rows.mean(2), (rows.var(2) + 1e-5).sqrt()), 2)
        mixed = (style * self.weight[None]).sum(2)[:, :, None, None]
        return x * torch.sigmoid(self.norm(mixed))


class PublishedGCT(nn.Module):
    """z-x-yang/GCT, l2: powers and means with the map's rank kept."""

    def __init__(self, channels: int, eps: float):
        super().__init__()
        self.eps = eps
        self.alpha = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.gamma = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.beta = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        size = (x.pow(2).sum((2, 3), keepdim=True) + self.eps).pow(0.5) * self.alpha
        norm = self.gamma / (size.pow(2).mean(1, keepdim=True) + self.eps).pow(0.5)
        return x * (1.0 + torch.tanh(size * norm + self.beta))


class PublishedGE(nn.Module):
    """hujie-frank/GENet, global extent without parameters: average pooling, sigmoid, multiplication."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        return x * torch.sigmoid(F.adaptive_avg_pool2d(x, 1)).expand_as(x)


class PublishedGC(nn.Module):
    """xvjiarui/GCNet: convolutions, a matrix product of map and softmax, a layer norm over (p, 1, 1)."""

    def __init__(self, channels: int, hidden: int):
        super().__init__()
        self.mask = nn.Conv2d(channels, 1, 1)
        self.reduce = nn.Conv2d(channels, hidden, 1)
        self.norm = nn.LayerNorm([hidden, 1, 1])
        self.restore = nn.Conv2d(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        weights = self.mask(x).flatten(2).softmax(2)
        context = torch.matmul(x.flatten(2)[:, None], weights[..., None]).view(x.shape[0], -1, 1, 1)
        return x + self.restore(torch.relu(self.norm(self.reduce(context))))


class PublishedIEBN(nn.BatchNorm2d):
    """gbup-group/IEBN: a plain normalisation, then weight times gate times map plus bias (`iebn_as_published`)."""

    def __init__(self, channels: int):
        super().__init__(channels)
        self.gate_weight = nn.Parameter(torch.zeros(channels))
        self.gate_bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        return iebn_as_published(
            x,
            self.weight,
            self.bias,
            self.gate_weight,
            self.gate_bias,
            self.running_mean,
            self.running_var,
            self.training,
            self.momentum,
            self.eps,
        )


_FC = {'reduce': 'excitation.fc1', 'restore': 'excitation.fc2'}
_SWITCHED = 'excitation.excitations'
CHANNEL = {
    'SE': Reference(
        AUTHORS, lambda layer: PublishedSE(layer.in_channels, layer.excitation.fc1.out_features), _FC
    ),
    'ECA': Reference(
        AUTHORS,
        lambda layer: PublishedECA(layer.excitation.conv.kernel_size[0]),
        {'conv': 'excitation.conv'},
    ),
    'SEM': Reference(
        AUTHORS,
        lambda layer: PublishedSEM(
            layer.in_channels,
            layer.excitation.excitations[0].fc1.out_features,
            layer.excitation.excitations[1].conv.kernel_size[0],
        ),
        {
            'switch': 'excitation.switch',
            'reduce': f'{_SWITCHED}.0.fc1',
            'restore': f'{_SWITCHED}.0.fc2',
            'conv': f'{_SWITCHED}.1.conv',
            'weight': f'{_SWITCHED}.2.weight',
            'bias': f'{_SWITCHED}.2.bias',
        },
    ),
    'SRM': Reference(
        AUTHORS,
        lambda layer: PublishedSRM(layer.in_channels),
        {'weight': 'excitation.weight', 'norm': 'excitation.norm'},
    ),
    'GCT': Reference(
        AUTHORS,
        lambda layer: PublishedGCT(layer.in_channels, layer.excitation.eps),
        {name: f'excitation.{name}' for name in ('alpha', 'gamma', 'beta')},
    ),
    'FCA': Reference(
        AUTHORS,
        lambda layer: PublishedFCA(
            layer.in_channels, layer.excitation.fc1.out_features, layer.squeezes[0].bases()
        ),
        _FC,
    ),
    'GE': Reference(AUTHORS, lambda layer: PublishedGE()),
    'GC': Reference(
        AUTHORS,
        lambda layer: PublishedGC(layer.in_channels, layer.add.fc1.out_features),
        {'mask': 'mask', 'reduce': 'add.fc1', 'norm': 'add.norm', 'restore': 'add.fc2'},
    ),
    'IEBN': Reference(
        AUTHORS,
        lambda layer: PublishedIEBN(layer.num_features),
        {
            'weight': 'bn.weight',
            'bias': 'bn.bias',
            'gate_weight': 'gate_weight',
            'gate_bias': 'gate_bias',
        },
    ),
}
