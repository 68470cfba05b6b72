"""Dense-and-Implicit attention, DIANet (Huang et al., AAAI 2020, arXiv:1905.10671).

Checked against gbup-group/DIANet 51685ca.
"""

from attn_plugins.layers.channel.attention import ChannelAttention
from attn_plugins.layers.place import Place
from attn_plugins.registry import MODELS


@MODELS.register_module()
class DIA(ChannelAttention):
    """Dense-and-implicit attention: a gate per channel from an LSTM whose state goes from block to block of a stage.

    Equation:
        y_t = x_t * h_t, at block t of a stage
        h_t = sigmoid(o) sigmoid(c_t)
        c_t = sigmoid(f) c_{t-1} + sigmoid(i) tanh(g)
        i, f, g, o = S(mean_hw(x_t)) + S'(h_{t-1}), S(v) = W2 relu(W1 v + b1) + b2

    All blocks of a stage share one layer (`share='stage'` of `Plugged`) and hand its state on, from h_0 = c_0 = 0 at
    every forward.

    Parameters: 10 C m + 2 m + 8 C with m = C // reduction, once per stage.

    Deviations: None known. The authors' variants for PreResNet and WRN put a batch norm before it, which is the host's
    matter here; their dropout is between the layers of deeper LSTMs and has no place in this one of one layer.

    Activation checkpointing would run the blocks again one by one, without the state, and is refused.

    Args:
        in_channels (int): C.
        reduction (int): C // m; the authors take 4 on CIFAR, 20 for ResNet and 10 for ResNeXt on ImageNet.
    """

    _abbr_ = 'attn_dia'
    place = Place(
        'After the last norm of every residual block, before the addition; the blocks of a stage share one layer, '
        'whose state goes from block to block.',
        plugins=[dict(position='after_conv3', share='stage')],
        read_in='gbup-group/DIANet: models/cifar/dia_resnet.py',
    )
    examples = [dict(reduction=4)]
    official_names = {
        'w_ih.0.seq': 'excitation.of_input',
        'w_hh.0.seq': 'excitation.of_state',
    }

    def __init__(self, in_channels: int, reduction: int = 4):
        super().__init__(
            in_channels, squeeze='mean', excitation=dict(type='lstm', reduction=reduction), gate='identity'
        )
