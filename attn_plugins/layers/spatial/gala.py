"""Global-and-local attention (Linsley et al., ICLR 2019, arXiv:1805.08819). Read from serre-lab/gala_tpu 4360488."""

import torch
from torch import Tensor, nn

from attn_plugins.layers.checks import check_kernel_size, follows_code, hidden_channels
from attn_plugins.layers.layer import Layer
from attn_plugins.layers.place import Place
from attn_plugins.ops.gating import gated
from attn_plugins.ops.logit_gating import LogitGating
from attn_plugins.registry import MODELS

INTERACTIONS = ('both', 'additive', 'multiplicative')
# Standard deviation of a unit normal that is truncated at two standard deviations.
TRUNCATED_STD = 0.87962566103423978


def variance_scaling_(weight: Tensor, fan_in: int) -> None:
    """Initialises by TensorFlow's variance scaling: a normal of variance 1 / fan_in, truncated at two deviations."""
    std = fan_in**-0.5 / TRUNCATED_STD
    nn.init.trunc_normal_(weight, std=std, a=-2 * std, b=2 * std)


@MODELS.register_module()
class GALA(Layer):
    """Global-and-local attention: a gate per value from a map of places and a vector of channels.

    Equation:
        y = x * sigmoid(alpha * (L + G) + beta * L * G)
        L = conv1x1(relu(conv_kxk(relu(conv1x1(x))))), (N, 1, H, W)
        G = relu(W2 relu(W1 mean_hw(x) + b1) + b2), (N, C, 1, 1)

    alpha and beta are learned per channel. With `interaction='additive'` the gate is that of L + G, with
    'multiplicative' that of L * G, both without alpha and beta.

    With `variant='paper'` the gate is a tanh, between -1 and 1, L = conv1x1(relu(conv1x1(x))) without the k x k
    convolution, and G = W2 relu(W1 mean_hw(x) + b1) + b2 without the last ReLU.

    Parameters: 3 C m + k^2 m^2 + 4 m + 3 C + 1 with m = C // reduction; 2 C less unless the interaction is 'both',
    k^2 m^2 + m less with `variant='paper'`.

    Deviations: the loss against click maps and the optional batch norm of L are left out. Paper and code disagree in
    three things, see `variant` above; the code's last ReLU of G is its framework's default activation. 'code' is the
    default because the authors' run script trains it; that it gave the published numbers is not shown by anything read.
    The form of `variant='paper'` was read in the description at paperswithcode.com/method/gala, with the code's
    biases and start; it was not checked against the paper itself.

    The authors' code is TensorFlow 1 for TPUs and does not run here: the layer is checked against an independent
    formula of what that code computes, and there is no map of weight names (its kernels have another axis order).

    The code has two places. The run script (GALA-v2_50) trains a ResNet-50 with pre-activation whose six blocks of the
    third stage have the layer on their input, before the shortcut leaves: `before='layer3.*'`. The network with
    post-activation (GALA-v1) has it on the residual branch's output before the addition, in the first block of every
    stage: `after='layer*.0.bn3'`.

    Args:
        in_channels (int): C.
        reduction (int): C // m.
        kernel_size (int, optional): k of the local branch, odd; 5 by default. The form of the paper has none.
        interaction (str): 'both', 'additive' or 'multiplicative'.
        variant (str): 'code' (what the authors' script trains) or 'paper'.

    Raises:
        ValueError: The reduction leaves no channel, the kernel has no centre or no use, a word is unknown.
    """

    _abbr_ = 'attn_gala'
    place = Place(
        'After the last norm of a residual block, before the addition, in the first block of every stage (GALA-v1); '
        "the run script of GALA-v2_50 has it on the input of the third stage's blocks: `before='layer3.*'`.",
        plugins=[dict(after='layer*.0.bn3')],
        read_in='serre-lab/gala_tpu: resnet_model.py',
    )
    examples = [
        dict(),
        dict(variant='paper'),
        dict(interaction='additive'),
        dict(interaction='multiplicative'),
    ]

    def __init__(
        self,
        in_channels: int,
        reduction: int = 4,
        kernel_size: int | None = None,
        interaction: str = 'both',
        variant: str = 'code',
    ):
        super().__init__(in_channels)
        if interaction not in INTERACTIONS:
            raise ValueError(f'interaction={interaction!r} must be one of {", ".join(INTERACTIONS)}')
        self.code = follows_code(variant)
        if not self.code and kernel_size is not None:
            raise ValueError(
                f"kernel_size={kernel_size} has no use with variant='paper', whose local branch has 1x1 convolutions "
                'only: leave it out'
            )
        hidden = hidden_channels(in_channels, reduction)
        self.interaction = interaction
        self.local_reduce = nn.Conv2d(in_channels, hidden, 1)
        if self.code:
            size = 5 if kernel_size is None else kernel_size
            check_kernel_size(size)
            self.local_conv = nn.Conv2d(hidden, hidden, size, padding=size // 2)
        else:
            self.local_conv = None
        self.local_out = nn.Conv2d(hidden, 1, 1)
        self.fc1 = nn.Linear(in_channels, hidden)
        self.fc2 = nn.Linear(hidden, in_channels)
        self.gating = LogitGating(tanh=not self.code)
        if interaction == 'both':
            self.alpha = nn.Parameter(torch.empty(in_channels))
            self.beta = nn.Parameter(torch.empty(in_channels))
        self.init_weights()

    def init_weights(self) -> None:
        """Initialises as the authors' code: variance scaling for L, alpha and beta, Glorot's for G, zero biases."""
        for conv in (self.local_reduce, self.local_conv, self.local_out):
            if conv is not None:
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
        return gated(self.gating, x, self._logits, self.local_reduce.weight, self.local_reduce.bias)

    def _logits(self, mean: Tensor, reduced: Tensor) -> tuple[Tensor, ...]:
        """Computes the logits from the mean, (N, C), and the reduced map, (N, m, H, W).

        Returns the term added per channel and the factor per channel of L, (N, C) each, and L.
        """
        features = torch.relu(reduced)
        vector = self.fc2(torch.relu(self.fc1(mean)))
        if self.code:
            features = torch.relu(self.local_conv(features))
            vector = torch.relu(vector)
        local = self.local_out(features)
        if self.interaction == 'additive':
            return vector, torch.ones_like(vector), local
        if self.interaction == 'multiplicative':
            return torch.zeros_like(vector), vector, local
        return self.alpha * vector, self.alpha + self.beta * vector, local
