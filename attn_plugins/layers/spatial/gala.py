"""Global-and-local attention (Linsley et al., ICLR 2019, arXiv:1805.08819). Read from serre-lab/gala_tpu 4360488."""

import torch
from torch import Tensor, nn

from attn_plugins.layers.hidden import hidden_channels
from attn_plugins.layers.kernel import odd
from attn_plugins.layers.layer import Layer
from attn_plugins.layers.place import Place
from attn_plugins.ops.pool import global_mean
from attn_plugins.ops.recalibrate import recalibrate
from attn_plugins.registry import MODELS

INTERACTIONS = ('both', 'additive', 'multiplicative')
# Standard deviation of a unit normal that is cut off at two standard deviations.
TRUNCATED_STD = 0.87962566103423978


def variance_scaling_(weight: Tensor, fan_in: int) -> None:
    """TensorFlow's initialisation by variance scaling: a normal of variance 1 / fan_in, cut off at two deviations."""
    std = fan_in**-0.5 / TRUNCATED_STD
    nn.init.trunc_normal_(weight, std=std, a=-2 * std, b=2 * std)


@MODELS.register_module()
class GALA(Layer):
    """Global-and-local attention: a gate per value from a map of places and a vector of channels.

    Equation:
        y = x * sigmoid(alpha * (L + G) + beta * L * G)
        L = conv1x1(relu(conv_kxk(relu(conv1x1(x))))), (N, 1, H, W)
        G = relu(W2 relu(W1 mean_hw(x) + b1) + b2), (N, C, 1, 1)

    alpha and beta are learned per channel. With `interaction='additive'` the gate is sigmoid(L + G), with 'multiplicative'
    sigmoid(L * G), both without alpha and beta.

    Parameters: 3 C m + k^2 m^2 + 4 m + 3 C + 1 with m = C // reduction; 2 C less unless the interaction is 'both'.

    Deviations: the last layer of G has a ReLU because the authors' fully connected layers take their framework's
    default activation. The loss against click maps and the optional batch norm of L are left out.

    The authors' code is TensorFlow 1 for TPUs and does not run here: the layer is checked against an independent
    formula of what that code computes, and there is no map of weight names (its kernels have another axis order). The
    authors place it on the residual branch's output before the addition, in their first network in the first block of a
    stage only.

    Args:
        in_channels (int): C.
        reduction (int): C // m.
        kernel_size (int): k of the local branch, odd.
        interaction (str): 'both', 'additive' or 'multiplicative'.

    Raises:
        ValueError: The reduction leaves no channel, the kernel has no centre, the interaction is unknown.
    """

    _abbr_ = 'attn_gala'
    place = Place(
        'After the last norm of a residual block, before the addition, in the first block of every stage.',
        plugins=[dict(after='layer*.0.bn3')],
        read_in='serre-lab/gala_tpu: resnet_model.py',
    )
    examples = [dict(), dict(interaction='additive'), dict(interaction='multiplicative')]

    def __init__(self, in_channels: int, reduction: int = 4, kernel_size: int = 5, interaction: str = 'both'):
        super().__init__(in_channels)
        if interaction not in INTERACTIONS:
            raise ValueError(f'interaction={interaction!r} must be one of {", ".join(INTERACTIONS)}')
        hidden = hidden_channels(in_channels, reduction)
        self.interaction = interaction
        self.local_reduce = nn.Conv2d(in_channels, hidden, 1)
        self.local_conv = nn.Conv2d(hidden, hidden, odd(kernel_size), padding=kernel_size // 2)
        self.local_out = nn.Conv2d(hidden, 1, 1)
        self.fc1 = nn.Linear(in_channels, hidden)
        self.fc2 = nn.Linear(hidden, in_channels)
        if interaction == 'both':
            self.alpha = nn.Parameter(torch.empty(in_channels))
            self.beta = nn.Parameter(torch.empty(in_channels))
        self.init_weights()

    def init_weights(self) -> None:
        """As in the authors' code: variance scaling for L, alpha and beta, Glorot's for G, zero biases."""
        for conv in (self.local_reduce, self.local_conv, self.local_out):
            variance_scaling_(conv.weight, conv.weight[0].numel())
            nn.init.zeros_(conv.bias)
        for layer in (self.fc1, self.fc2):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
        if self.interaction == 'both':
            variance_scaling_(self.alpha, 1)
            variance_scaling_(self.beta, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        features = torch.relu(self.local_conv(torch.relu(self.local_reduce(x))))
        local = self.local_out(features)
        vector = torch.relu(self.fc2(torch.relu(self.fc1(global_mean(x)))))[:, :, None, None]
        if self.interaction == 'additive':
            logits = local + vector
        elif self.interaction == 'multiplicative':
            logits = local * vector
        else:
            alpha, beta = self.alpha[:, None, None], self.beta[:, None, None]
            logits = alpha * (local + vector) + beta * (local * vector)
        return recalibrate(x, torch.sigmoid(logits))
