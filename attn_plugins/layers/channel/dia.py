"""Dense-and-Implicit attention, DIANet (Huang et al., AAAI 2020, arXiv:1905.10671).

Checked against gbup-group/DIANet 51685ca.
"""

import torch
from torch import Tensor, nn

from attn_plugins.layers.channel.attention import ChannelAttention
from attn_plugins.layers.checks import hidden_channels
from attn_plugins.layers.place import Place
from attn_plugins.layers.recurrent import Recurrent
from attn_plugins.registry import EXCITATIONS, MODELS


@EXCITATIONS.register_module('lstm')
class LSTMExcitation(Recurrent):
    """e = h', where (h', c') = LSTM(z; h, c) and h, c are the state that the block before stored: 0 in the first.

    The four logits of the cell are S(z) + S'(h), each a bottleneck S(v) = W2 relu(W1 v + b1) + b2 with C // reduction
    hidden channels, and h' = sigmoid(o) sigmoid(c') lies between 0 and 1, so the gate to it is 'identity'. It carries
    a state only where `Plugged` shares the layer (`share='stage'`), one for each squeeze that it reads; otherwise
    every call is a first one.

    Parameters: 10 C m + 2 m + 8 C with m = C // reduction; K > 1 values per channel add (K - 1) C m.

    Args:
        in_channels (int): C.
        reduction (int): C // m.
        features (int): K.
    """

    def __init__(self, in_channels: int, reduction: int = 4, features: int = 1):
        super().__init__()
        hidden = hidden_channels(in_channels, reduction)
        self.of_input = _bottleneck(in_channels * features, hidden, 4 * in_channels)
        self.of_state = _bottleneck(in_channels, hidden, 4 * in_channels)

    def init_weights(self) -> None:
        """Draws all layers anew by torch's default for linear layers."""
        for layer in (*self.of_input, *self.of_state):
            if isinstance(layer, nn.Linear):
                layer.reset_parameters()

    def forward(self, descriptor: Tensor) -> Tensor:
        """(N, C) or (N, C, K) -> (N, C)."""
        first = self.of_state[0]
        z = descriptor.flatten(1).to(first.weight.dtype)
        hidden, cell = self.previous() or (z.new_zeros(1, first.in_features),) * 2
        hidden, cell = lstm_step(self.of_input(z) + self.of_state(hidden), cell)
        self.store(hidden, cell)
        return hidden


def _bottleneck(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, outputs))


def lstm_step(logits: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """Computes c' = sigmoid(f) c + sigmoid(i) tanh(g); h' = sigmoid(o) sigmoid(c').

    The output is the sigmoid of the cell and not, as in an LSTM, its tanh: so it lies between 0 and 1 and is a gate.
    It is computed as published.

    Args:
        logits (Tensor): i, f, g and o in this order, (N, 4 C).
        cell (Tensor): c, (N, C) or what broadcasts to it.

    Returns:
        tuple[Tensor, Tensor]: h' and c', (N, C) each.
    """
    i, f, g, o = logits.chunk(4, 1)
    cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.sigmoid(cell), cell


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
