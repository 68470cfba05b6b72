"""Dynamic convolution (Wu et al., ICLR 2019, arXiv:1901.10430) on images, as studied in arXiv:1904.05873.

The text layer was read from fairseq 00bc279; the image form of the study has no public code.
"""

from torch import Tensor, nn

from attn_plugins.layers.conv.base import ConvLike, Size, init_conv
from attn_plugins.layers.place import Place
from attn_plugins.ops.dynamic_conv import dynamic_depthwise
from attn_plugins.registry import MODELS


@MODELS.register_module()
class DynamicConv(ConvLike):
    """Dynamic convolution: a depth-wise kernel per place, computed from the place itself.

    Equation:
        y_c(p) = sum_t w_{g(c), t}(p) v_c(p + t), zeros outside of the map
        w_g(p) = softmax_t(W_g x(p) + b_g)
        v = W_v x

    t are the k^2 taps; consecutive channels share one of the `weight_groups` kernels g(c).

    Parameters: C C' / groups + C weight_groups k^2; with bias C' + weight_groups k^2 more.

    Deviations: the authors' image code is not public: this is the text layer carried over to k x k kernels. Ours are
    the 1x1 convolution W_v before the kernel (a convolution must reach C' channels), the default of weight_groups,
    and the initialisation (Glorot for the kernels, Kaiming for W_v). The kernel is predicted from the layer's input
    x, in fairseq from the values v that it is then applied to. W_v and W have a bias by default (`bias=False` leaves
    both out), fairseq's W has none. fairseq's DropConnect (`weight_dropout`), which in training drops taps of the
    finished kernel, is left out. No result of the study is claimed to be reproduced.

    It is checked against an independent formula; there is no map of weight names.

    Args:
        in_channels (int): C.
        out_channels (int): C'.
        kernel_size (int or tuple): k, odd.
        stride (int or tuple): As in `nn.Conv2d`.
        padding (int or tuple): dilation * (k // 2), so that each kernel lies around the place that computed it.
        dilation (int or tuple): Of the taps.
        groups (int): Of the 1x1 convolution W_v.
        bias (bool): Whether W_v and W have a bias.
        weight_groups (int): How many kernels there are per place; consecutive channels share one.

    Raises:
        ValueError: The groups do not divide the channels, or the padding shifts the places.
    """

    _abbr_ = 'attn_dynamic'
    place = Place('In place of the 3x3 convolutions.', plugins=[dict(replace='**.conv2')])
    examples = [dict(weight_groups=4), dict(weight_groups=1, groups=4, bias=False)]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        weight_groups: int = 8,
    ):
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, groups)
        self.need_same_padding()
        if weight_groups < 1 or out_channels % weight_groups:
            fitting = [n for n in range(1, out_channels + 1) if out_channels % n == 0]
            near = min(fitting, key=lambda n: abs(n - weight_groups))
            raise ValueError(
                f'weight_groups={weight_groups} must divide out_channels={out_channels}: try {near}'
            )
        self.weight_groups = weight_groups
        taps = self.kernel_size[0] ** 2
        self.value = nn.Conv2d(in_channels, out_channels, 1, groups=groups, bias=bias)
        self.kernel = nn.Conv2d(in_channels, weight_groups * taps, 1, self.stride, bias=bias)
        self.init_weights()

    def init_weights(self) -> None:
        """Initialises W_v by Kaiming's method, the kernels by Glorot's; biases are zero."""
        init_conv(self.value)
        nn.init.xavier_uniform_(self.kernel.weight)
        if self.kernel.bias is not None:
            nn.init.zeros_(self.kernel.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H', W')."""
        value = self.value(x)
        weights = self.kernel(x).unflatten(1, (self.weight_groups, -1)).softmax(2).to(value.dtype)
        return dynamic_depthwise(value, weights, self.kernel_size[0], self.stride, self.dilation)
