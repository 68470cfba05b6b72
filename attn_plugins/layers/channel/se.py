"""Squeeze-and-Excitation (Hu et al., CVPR 2018, arXiv:1709.01507).

Checked against hujie-frank/SENet 0262d43 (structure), hyunjaelee410/style-based-recalibration-module f6221c7 and
Andrew-Qibin/ssdlite-pytorch-mobilenext 6219e33 (numbers).
"""

from mmcv.cnn import build_activation_layer
from torch import Tensor, nn

from attn_plugins.layers.channel.attention import ChannelAttention
from attn_plugins.layers.checks import hidden_channels
from attn_plugins.layers.place import Place
from attn_plugins.registry import EXCITATIONS, MODELS


@EXCITATIONS.register_module('fc')
class FCExcitation(nn.Module):
    """The bottleneck of SE, e = W2 act(W1 z + b1) + b2, with C // reduction hidden channels.

    Parameters: 2 C m + m + C with m = C // reduction; without bias 2 C m; K > 1 values per channel add (K - 1) C m.

    Args:
        in_channels (int): C.
        reduction (int): C // m.
        bias (bool): Whether both layers have a bias.
        act_cfg (dict): Activation between them.
        features (int): K.
    """

    def __init__(
        self,
        in_channels: int,
        reduction: int = 16,
        bias: bool = True,
        act_cfg: dict | None = None,
        features: int = 1,
    ):
        super().__init__()
        hidden = hidden_channels(in_channels, reduction)
        self.features = features
        self.fc1 = nn.Linear(in_channels * features, hidden, bias=bias)
        self.act = build_activation_layer(act_cfg or dict(type='ReLU'))
        self.fc2 = nn.Linear(hidden, in_channels, bias=bias)

    def init_weights(self) -> None:
        """Draws both layers anew by torch's default for linear layers."""
        self.fc1.reset_parameters()
        self.fc2.reset_parameters()

    def forward(self, descriptor: Tensor) -> Tensor:
        """(N, C) or (N, C, K) -> (N, C)."""
        fc1 = self.fc1
        if self.features > 1:
            descriptor = descriptor.flatten(1)
        return self.fc2(self.act(fc1(descriptor.to(fc1.weight.dtype))))


@MODELS.register_module()
class SE(ChannelAttention):
    """Squeeze-and-Excitation: a gate per channel from the means of all channels.

    Equation:
        y = x * sigmoid(W2 relu(W1 z + b1) + b2)
        z = mean_hw(x)

    Parameters: 2 C m + m + C with m = C // reduction; 2 C m without bias.

    Deviations: None known.

    Published ports disagree on the bias: the authors' Caffe release has it and is followed here, FcaNet's and SimAM's
    have none. The Coordinate Attention paper's SE in MobileNetV2 is `reduction=24, act_cfg=dict(type='ReLU6')`.

    Args:
        in_channels (int): C.
        reduction (int): C // m.
        bias (bool): Whether the two layers have a bias.
        act_cfg (dict, optional): Activation between them, ReLU by default.
        gate (str or dict): The gate.
    """

    _abbr_ = 'attn_se'
    place = Place(
        'After the last norm of every residual block, before the addition.',
        plugins=[dict(position='after_conv3')],
        read_in='hujie-frank/SENet: models/SE-ResNet-50.prototxt',
    )
    examples = [
        dict(reduction=4),
        dict(reduction=4, act_cfg=dict(type='ReLU6')),
        dict(reduction=4, bias=False),
    ]
    official_names = {
        'fc.0': 'excitation.fc1',
        'fc.2': 'excitation.fc2',
        'conv.0': 'excitation.fc1',
        'conv.2': 'excitation.fc2',
    }

    def __init__(
        self,
        in_channels: int,
        reduction: int = 16,
        bias: bool = True,
        act_cfg: dict | None = None,
        gate: str | dict = 'sigmoid',
    ):
        excitation = dict(type='fc', reduction=reduction, bias=bias, act_cfg=act_cfg)
        super().__init__(in_channels, squeeze='mean', excitation=excitation, gate=gate)
