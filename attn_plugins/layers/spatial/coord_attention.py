"""Coordinate Attention (Hou et al., CVPR 2021, arXiv:2103.02907). Checked against houqb/CoordAttention 7619bea."""

import torch
import torch.fx
from torch import Tensor, nn

from attn_plugins.compat import strict_zip
from attn_plugins.layers.checks import hidden_channels
from attn_plugins.layers.layer import Layer
from attn_plugins.layers.place import Place
from attn_plugins.ops.gating import gated
from attn_plugins.ops.strip_gating import StripGating, conv_strips
from attn_plugins.registry import MODELS

# A symbolic trace must not look inside this function: it reads the size.
torch.fx.wrap('conv_strips')

AXES = ('hw', 'h', 'w')


@MODELS.register_module()
class CoordAttention(Layer):
    """Coordinate Attention: a gate per row times a gate per column, each knowing its channel and its coordinate.

    Equation:
        y = x * g_h * g_w
        g_h = sigmoid(W_h f_h + b_h), g_w = sigmoid(W_w f_w + b_w)
        [f_h; f_w] = hswish(BN(W1 [mean_w(x); mean_h(x)] + b1))

    The two strips stand side by side along space and are split again after the activation.

    Parameters: C m + 3 m + 2 (m C + C) with m = max(8, C // reduction); with one axis C m + 3 m + m C + C.

    Deviations: one axis alone ('h': the paper's X attention, pooled along the width; 'w': Y attention) is an ablation
    of the paper without published code; it is the same layer with the other strip left out.

    In training the batch norm needs more than one value per channel: N (H + W) > 1, with one axis N H > 1 or N W > 1.

    Args:
        in_channels (int): C.
        reduction (int): C // m, m is at least `min_channels`.
        axes (str): 'hw', 'h' (gate per row) or 'w' (gate per column).
        min_channels (int): The least m.
    """

    _abbr_ = 'attn_ca'
    place = Place(
        'After the depthwise convolution, its norm and activation, in every block of MobileNetV2 that expands.',
        plugins=[dict(position='after_depthwise', stages=(False, True, True, True, True, True, True))],
        read_in='houqb/CoordAttention: mbv2_ca.py',
        host=dict(type='MobileNetV2'),
    )
    examples = [dict(), dict(axes='h'), dict(axes='w')]
    # The authors' classification model calls the last two convolutions conv2 and conv3.
    official_names = {
        'conv1': 'conv1',
        'bn1': 'norm',
        'conv_h': 'conv_h',
        'conv_w': 'conv_w',
        'conv2': 'conv_h',
        'conv3': 'conv_w',
    }

    def __init__(self, in_channels: int, reduction: int = 32, axes: str = 'hw', min_channels: int = 8):
        super().__init__(in_channels)
        if axes not in AXES:
            raise ValueError(f'axes={axes!r} must be one of {", ".join(AXES)}')
        hidden = hidden_channels(in_channels, reduction, min_channels)
        self.conv1 = nn.Conv2d(in_channels, hidden, 1)
        self.norm = nn.BatchNorm2d(hidden)
        self.act = nn.Hardswish()
        self.conv_h = nn.Conv2d(hidden, in_channels, 1) if 'h' in axes else None
        self.conv_w = nn.Conv2d(hidden, in_channels, 1) if 'w' in axes else None
        self.axes, self.gating = axes, StripGating(axes)
        self.init_weights()

    def init_weights(self) -> None:
        """Initialises as in the authors' MobileNetV2: convolutions N(0, 2 / fan_out), zero biases, plain batch norm."""
        for module in self.children():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode='fan_out', nonlinearity='relu')
                nn.init.zeros_(module.bias)
        self.norm.reset_parameters()

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        return gated(self.gating, x, self._gates)

    def _gates(self, *strips: Tensor) -> tuple[Tensor, ...]:
        """Computes the gates of rows and columns, (N, C, H, 1) and (N, C, 1, W), from their means."""
        standing = [
            strip if axis == 'h' else strip.transpose(2, 3) for axis, strip in strict_zip(self.axes, strips)
        ]
        features = conv_strips(torch.cat(standing, 2), self.conv1.weight, self.conv1.bias)
        # torch's batch norm has wrong gradients where its input has the strides of channels_last and one column
        # (2.12.1).
        features = self.act(self.norm(features.contiguous()))
        features = features.split([strip.shape[2] for strip in standing], 2)
        gates = []
        for i, axis in enumerate(self.axes):
            conv = self.conv_h if axis == 'h' else self.conv_w
            gate = torch.sigmoid(conv_strips(features[i], conv.weight, conv.bias))
            gates.append(gate if axis == 'h' else gate.transpose(2, 3))
        return tuple(gates)
