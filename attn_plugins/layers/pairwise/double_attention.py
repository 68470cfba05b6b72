"""Double attention (A^2-Nets; Chen et al., NeurIPS 2018, arXiv:1810.11579).

No code of the authors is known: the layer is checked against an independent formula in float64.
"""

from torch import Tensor, nn

from attn_plugins.layers.layer import Layer
from attn_plugins.layers.place import Place
from attn_plugins.ops.attention import gather_and_distribute
from attn_plugins.ops.residual import add_branch
from attn_plugins.registry import MODELS


@MODELS.register_module()
class DoubleAttention(Layer):
    """Gathers M descriptors of the map and distributes them to the places.

    Equation:
        y = x + W_o Z + b_o
        Z_i = sum_m G_m softmax_m(V(x)_i)
        G_m = sum_j softmax_j(B(x)_m) A(x)_j

    A, B, V and the output are 1x1 convolutions with bias, A of m channels, B and V of M channels. Nothing grows with
    (H W)^2. The layer does not start as the identity.

    Parameters: (C m + m) + 2 (C M + M) + (m C + C).

    Deviations: no published code, so the widths' default C // 4 and the initialisation, torch's default, are this
    package's choice.

    Args:
        in_channels (int): C.
        feature_channels (int, optional): m, C // 4 by default (at least 1).
        attention_maps (int, optional): M, C // 4 by default (at least 1).

    Raises:
        ValueError: A width is less than one.
    """

    _abbr_ = 'attn_double'
    place = Place(
        'After whole residual blocks, here those of the third stage.',
        plugins=[dict(position='block_output', stages=(False, False, True, False))],
    )
    examples = [dict()]

    def __init__(
        self, in_channels: int, feature_channels: int | None = None, attention_maps: int | None = None
    ):
        super().__init__(in_channels)
        default = max(1, in_channels // 4)
        feature_channels = default if feature_channels is None else feature_channels
        attention_maps = default if attention_maps is None else attention_maps
        for name, width in (('feature_channels', feature_channels), ('attention_maps', attention_maps)):
            if width < 1:
                raise ValueError(f'{name}={width} must be at least 1: {default} is the default')
        self.feature = nn.Conv2d(in_channels, feature_channels, 1)
        self.gather = nn.Conv2d(in_channels, attention_maps, 1)
        self.distribute = nn.Conv2d(in_channels, attention_maps, 1)
        self.out = nn.Conv2d(feature_channels, in_channels, 1)

    def init_weights(self) -> None:
        """Initialises every convolution by torch's default."""
        for conv in (self.feature, self.gather, self.distribute, self.out):
            conv.reset_parameters()

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        z = gather_and_distribute(self.feature(x), self.gather(x), self.distribute(x))
        return add_branch(x, self.out(z))
