"""Squeeze-and-Excitation (Hu et al., CVPR 2018, arXiv:1709.01507).

Checked against hujie-frank/SENet 0262d43 (structure), hyunjaelee410/style-based-recalibration-module f6221c7 and
Andrew-Qibin/ssdlite-pytorch-mobilenext 6219e33 (numbers).
"""

from attn_plugins.layers.channel.attention import ChannelAttention
from attn_plugins.layers.place import Place
from attn_plugins.registry import MODELS


@MODELS.register_module()
class SE(ChannelAttention):
    """Squeeze-and-Excitation: a gate per channel from the means of all channels.

    Equation:
        y = x * sigmoid(W2 relu(W1 z + b1) + b2)
        z = mean_hw(x)

    Parameters: 2 C m + m + C with m = C // reduction; 2 C m without bias.

    Deviations: None known.

    Published ports disagree on the bias: the authors' Caffe release has it and is followed here, FcaNet's and SimAM's have
    none. The Coordinate Attention paper's SE in MobileNetV2 is `reduction=24, act_cfg=dict(type='ReLU6')`.

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
