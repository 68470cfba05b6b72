"""The recurrent excitation of DIA: a light LSTM over the blocks of a stage."""

from torch import Tensor, nn

from attn_plugins.layers.checks import hidden_channels
from attn_plugins.layers.recurrent import Recurrent
from attn_plugins.ops.lstm import lstm_step
from attn_plugins.registry import EXCITATIONS


@EXCITATIONS.register_module('lstm')
class LSTMExcitation(Recurrent):
    """e = h', where (h', c') = LSTM(z; h, c) and h, c are the state that the block before stored: 0 in the first.

    The four logits of the cell are S(z) + S'(h), each a bottleneck S(v) = W2 relu(W1 v + b1) + b2 with C // reduction
    hidden channels, and h' = sigmoid(o) sigmoid(c') lies between 0 and 1, so the gate to it is 'identity'. It carries a state
    only where `Plugged` shares the layer (`share='stage'`), one for each squeeze that it reads; otherwise every call is a
    first one.

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
