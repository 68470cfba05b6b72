"""Reference gates per place and attention among places, in the way of their authors' code: one operator per step.

Written anew from the equations in the layers' docstrings, which name the authors' repositories. Weights are the
layers'.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.layers.references.reference import AUTHORS, Reference


class PooledGate(nn.Module):
    """The map times sigmoid(BN(conv([max_c; mean_c]))): the second half of CBAM, a third of triplet attention."""

    def __init__(self, kernel_size: int):
        super().__init__()
        self.conv = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2, bias=False)
        self.norm = nn.BatchNorm2d(1, momentum=0.01)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        pooled = torch.cat((x.max(1)[0][:, None], x.mean(1)[:, None]), 1)
        return x * torch.sigmoid(self.norm(self.conv(pooled)))


class PublishedCBAM(nn.Module):
    """Jongchan/attention-module: average and maximum pooling each through the MLP, then the gate of places."""

    def __init__(self, channels: int, hidden: int, kernel_size: int):
        super().__init__()
        self.reduce = nn.Linear(channels, hidden)
        self.restore = nn.Linear(hidden, channels)
        self.spatial = PooledGate(kernel_size)

    def _mlp(self, pooled: Tensor) -> Tensor:
        return self.restore(torch.relu(self.reduce(pooled.flatten(1))))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        size = x.shape[2:]
        logits = self._mlp(F.avg_pool2d(x, size, stride=size)) + self._mlp(F.max_pool2d(x, size, stride=size))
        return self.spatial(x * torch.sigmoid(logits)[:, :, None, None].expand_as(x))


class PublishedBAM(nn.Module):
    """Jongchan/attention-module as repaired in implus/PytorchInsight: both branches expanded to the map."""

    def __init__(self, channels: int, hidden: int, dilation: int):
        super().__init__()
        self.vector = nn.Sequential(
            nn.Linear(channels, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, channels)
        )
        wide = dict(kernel_size=3, padding=dilation, dilation=dilation)
        self.places = nn.Sequential(
            nn.Conv2d(channels, hidden, 1),
            nn.BatchNorm2d(hidden),
            nn.ReLU(),
            nn.Conv2d(hidden, hidden, **wide),
            nn.BatchNorm2d(hidden),
            nn.ReLU(),
            nn.Conv2d(hidden, hidden, **wide),
            nn.BatchNorm2d(hidden),
            nn.ReLU(),
            nn.Conv2d(hidden, 1, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        pooled = F.avg_pool2d(x, x.shape[2:], stride=x.shape[2:]).flatten(1)
        channel = self.vector(pooled)[:, :, None, None].expand_as(x)
        return (1 + torch.sigmoid(channel * self.places(x).expand_as(x))) * x


class PublishedSGE(nn.Module):
    """implus/PytorchInsight: the groups become samples, then likeness, norm and gate step by step."""

    def __init__(self, groups: int):
        super().__init__()
        self.groups = groups
        self.weight = nn.Parameter(torch.zeros(1, groups, 1, 1))
        self.bias = nn.Parameter(torch.zeros(1, groups, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        samples, _, height, width = x.shape
        groups = x.view(samples * self.groups, -1, height, width)
        likeness = (groups * F.adaptive_avg_pool2d(groups, 1)).sum(1).flatten(1)
        likeness = likeness - likeness.mean(1, keepdim=True)
        likeness = likeness / (likeness.std(1, keepdim=True) + 1e-5)
        logits = likeness.view(samples, self.groups, height, width) * self.weight + self.bias
        return (groups * torch.sigmoid(logits.view(-1, 1, height, width))).view(x.shape)


class PublishedSimAM(nn.Module):
    """ZjjConan/SimAM: squared distances, their sum, the energy, its sigmoid."""

    def __init__(self, e_lambda: float):
        super().__init__()
        self.e_lambda = e_lambda

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        square = (x - x.mean((2, 3), keepdim=True)).pow(2)
        variance = square.sum((2, 3), keepdim=True) / (x.shape[2] * x.shape[3] - 1)
        return x * torch.sigmoid(square / (4 * (variance + self.e_lambda)) + 0.5)


class PublishedTriplet(nn.Module):
    """landskape-ai/triplet-attention: the map turned, gated and turned back in each branch, then the branches' mean."""

    def __init__(self, kernel_size: int):
        super().__init__()
        self.over_height = PooledGate(kernel_size)
        self.over_width = PooledGate(kernel_size)
        self.over_channels = PooledGate(kernel_size)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        first = self.over_height(x.permute(0, 2, 1, 3).contiguous()).permute(0, 2, 1, 3).contiguous()
        second = self.over_width(x.permute(0, 3, 2, 1).contiguous()).permute(0, 3, 2, 1).contiguous()
        return 1 / 3 * (self.over_channels(x) + first + second)


class PublishedCoordAttention(nn.Module):
    """houqb/CoordAttention: adaptive pooling to strips, 1x1 convolutions, two multiplications with the map."""

    def __init__(self, channels: int, hidden: int):
        super().__init__()
        self.rows, self.columns = nn.AdaptiveAvgPool2d((None, 1)), nn.AdaptiveAvgPool2d((1, None))
        self.reduce = nn.Conv2d(channels, hidden, 1)
        self.norm = nn.BatchNorm2d(hidden)
        self.row_gate = nn.Conv2d(hidden, channels, 1)
        self.column_gate = nn.Conv2d(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        strips = torch.cat((self.rows(x), self.columns(x).permute(0, 1, 3, 2)), 2)
        hidden = self.norm(self.reduce(strips))
        hidden = hidden * (F.relu6(hidden + 3) / 6)
        rows, columns = torch.split(hidden, [x.shape[2], x.shape[3]], 2)
        row_gate = torch.sigmoid(self.row_gate(rows))
        column_gate = torch.sigmoid(self.column_gate(columns.permute(0, 1, 3, 2)))
        return x * column_gate * row_gate


class PublishedGALA(nn.Module):
    """serre-lab/gala_tpu (TensorFlow), operator by operator; sum and product of both branches are whole maps."""

    def __init__(self, channels: int, hidden: int, kernel_size: int):
        super().__init__()
        self.local = nn.Sequential(
            nn.Conv2d(channels, hidden, 1),
            nn.ReLU(),
            nn.Conv2d(hidden, hidden, kernel_size, padding=kernel_size // 2),
            nn.ReLU(),
            nn.Conv2d(hidden, 1, 1),
        )
        self.reduce = nn.Linear(channels, hidden)
        self.restore = nn.Linear(hidden, channels)
        self.alpha = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.beta = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        local = self.local(x)
        vector = torch.relu(self.restore(torch.relu(self.reduce(x.mean((2, 3))))))[:, :, None, None]
        return x * torch.sigmoid(self.alpha * (local + vector) + self.beta * (local * vector))


class PublishedPAM(nn.Module):
    """junfu1115/DANet: the whole map of weights between places."""

    def __init__(self, channels: int, hidden: int):
        super().__init__()
        self.query = nn.Conv2d(channels, hidden, 1)
        self.key = nn.Conv2d(channels, hidden, 1)
        self.value = nn.Conv2d(channels, channels, 1)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        energy = torch.bmm(self.query(x).flatten(2).transpose(1, 2), self.key(x).flatten(2))
        rows = torch.bmm(self.value(x).flatten(2), torch.softmax(energy, 2).transpose(1, 2))
        return self.gamma * rows.view(x.shape) + x


class PublishedCAM(nn.Module):
    """junfu1115/DANet: the distance of each product of channels from the row's largest, a softmax of it."""

    def __init__(self):
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        rows = x.flatten(2)
        energy = torch.bmm(rows, rows.transpose(1, 2))
        distance = energy.max(2, keepdim=True)[0].expand_as(energy) - energy
        return self.gamma * torch.bmm(torch.softmax(distance, 2), rows).view(x.shape) + x


_FC = {'reduce': 'channel.excitation.fc1', 'restore': 'channel.excitation.fc2'}
SPATIAL = {
    'CBAM': Reference(
        AUTHORS,
        lambda layer: PublishedCBAM(
            layer.in_channels,
            layer.channel.excitation.fc1.out_features,
            layer.spatial.conv.kernel_size[0],
        ),
        {**_FC, 'spatial': 'spatial'},
    ),
    'BAM': Reference(
        AUTHORS,
        lambda layer: PublishedBAM(
            layer.in_channels, layer.channel.fc1.out_features, layer.spatial.conv1.dilation[0]
        ),
        {
            'vector.0': 'channel.fc1',
            'vector.1': 'channel.norm',
            'vector.3': 'channel.fc2',
            'places.0': 'spatial.reduce',
            'places.1': 'spatial.reduce_norm',
            'places.3': 'spatial.conv1',
            'places.4': 'spatial.norm1',
            'places.6': 'spatial.conv2',
            'places.7': 'spatial.norm2',
            'places.9': 'spatial.out',
        },
    ),
    'SGE': Reference(
        AUTHORS, lambda layer: PublishedSGE(layer.gate.groups), {'weight': 'weight', 'bias': 'bias'}
    ),
    'SimAM': Reference(AUTHORS, lambda layer: PublishedSimAM(layer.e_lambda)),
    'TripletAttention': Reference(
        AUTHORS,
        lambda layer: PublishedTriplet(layer.gate_cw.conv.kernel_size[0]),
        {'over_height': 'gate_cw', 'over_width': 'gate_ch', 'over_channels': 'gate_hw'},
    ),
    'CoordAttention': Reference(
        AUTHORS,
        lambda layer: PublishedCoordAttention(layer.in_channels, layer.conv1.out_channels),
        {'reduce': 'conv1', 'norm': 'norm', 'row_gate': 'conv_h', 'column_gate': 'conv_w'},
    ),
    'GALA': Reference(
        AUTHORS,
        lambda layer: PublishedGALA(
            layer.in_channels, layer.fc1.out_features, layer.local_conv.kernel_size[0]
        ),
        {
            'local.0': 'local_reduce',
            'local.2': 'local_conv',
            'local.4': 'local_out',
            'reduce': 'fc1',
            'restore': 'fc2',
            'alpha': 'alpha',
            'beta': 'beta',
        },
    ),
    'PAM': Reference(
        AUTHORS,
        lambda layer: PublishedPAM(layer.in_channels, layer.query.out_channels),
        {name: name for name in ('query', 'key', 'value', 'gamma')},
    ),
    'CAM': Reference(AUTHORS, lambda layer: PublishedCAM(), {'gamma': 'gamma'}),
}
