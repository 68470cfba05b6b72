"""Attention-augmented convolution (Bello et al., ICCV 2019, arXiv:1904.09925). The authors released no repository."""

import torch
import torch.fx
from torch import Tensor, nn

from attn_plugins.compat import strict_zip
from attn_plugins.layers.conv.base import ConvLike, Size, init_conv
from attn_plugins.layers.place import Place
from attn_plugins.ops.augmented_attention import append_channels, relative_attention
from attn_plugins.registry import MODELS

# A symbolic trace must not look inside these functions: they read the size or the memory format.
torch.fx.wrap('append_channels')
torch.fx.wrap('relative_attention')


@MODELS.register_module()
class AAConv(ConvLike):
    """Attention-augmented convolution: some output channels come from attention over the whole map.

    Equation:
        y = [conv_kxk(x); W_o a], side by side along the channels
        a_i = sum_j softmax_j((q_i . k_j + q_i . r_h[dy] + q_i . r_w[dx]) / sqrt(dk / heads)) v_j, per head
        q, k, v = W x

    The softmax runs over all places; dy and dx are the place of the key minus that of the query. Time grows with
    (H' W')^2, memory does not: on a CPU the weights are made part by part, elsewhere a fused kernel serves if there
    is one.

    Parameters: C (C' - dv) k^2 / groups + C (2 dk + dv) + dv^2 + (4 max_size - 2) dk / heads; with bias C' + 2 dk + dv
    more. That is the published count at maps of max_size x max_size.

    Deviations: the paper's tables of relative positions fix H and W; here offsets beyond max_size - 1 get the
    outermost entry, so any H x W works. A stride subsamples queries and keys at the centres of the strided
    convolution. Copies of the paper's listing give dk_h^-0.5 as the first argument of TensorFlow's normal
    initialiser, which is the mean; here it is the deviation. By default dk = C' / 5 (at least 20 per head) and
    dv = C' / 10 (at least 1 per head), rounded to multiples of the heads; these ratios were not checked against the
    paper.

    Without published code the layer is checked against an independent formula; there is no map of weight names.

    Args:
        in_channels (int): C.
        out_channels (int): C'.
        kernel_size (int or tuple): k, odd.
        stride (int or tuple): As in `nn.Conv2d`.
        padding (int or tuple): dilation * (k // 2), so that convolution and attention share the places.
        dilation (int or tuple): Of the convolution.
        groups (int): Of the convolution.
        bias (bool): Whether the three convolutions have a bias.
        num_heads (int): Heads of the attention.
        key_channels (int, optional): dk over all heads.
        value_channels (int, optional): dv over all heads.
        max_size (int): Offsets up to max_size - 1 have an entry of their own in the tables.

    Raises:
        ValueError: The heads do not divide dk and dv, dv leaves no channel to the convolution, the groups do not
            divide, the padding shifts the places.
    """

    _abbr_ = 'attn_aa'
    place = Place(
        'In place of the 3x3 convolutions, here of the last two stages.',
        plugins=[dict(replace=f'layer{stage}.*.conv2') for stage in (3, 4)],
    )
    examples = [
        dict(num_heads=2, key_channels=4, value_channels=2, max_size=5),
        dict(num_heads=2, key_channels=4, value_channels=4, max_size=3, bias=False),
    ]

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
        num_heads: int = 8,
        key_channels: int | None = None,
        value_channels: int | None = None,
        max_size: int = 32,
    ):
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, groups)
        self.need_same_padding()
        if num_heads < 1 or max_size < 1:
            raise ValueError(f'num_heads={num_heads} and max_size={max_size} must be at least 1')
        self.num_heads = num_heads
        if key_channels is None:
            key_channels = max(20, round(out_channels / 5 / num_heads)) * num_heads
        if value_channels is None:
            value_channels = max(1, round(out_channels / 10 / num_heads)) * num_heads
        self._check_widths(key_channels, value_channels)
        self.widths = (key_channels, key_channels, value_channels)
        sizes = (self.kernel_size, self.stride, self.padding, self.dilation)
        self.conv = nn.Conv2d(in_channels, out_channels - value_channels, *sizes, groups, bias)
        self.kqv = nn.Conv2d(in_channels, sum(self.widths), 1, self.stride, bias=bias)
        self.proj = nn.Conv2d(value_channels, value_channels, 1, bias=bias)
        head_channels = key_channels // num_heads
        self.relative_h = nn.Parameter(torch.empty(2 * max_size - 1, head_channels))
        self.relative_w = nn.Parameter(torch.empty(2 * max_size - 1, head_channels))
        self.init_weights()

    def _check_widths(self, key_channels: int, value_channels: int) -> None:
        heads = self.num_heads
        for name, width in (('key_channels', key_channels), ('value_channels', value_channels)):
            if width < 1 or width % heads:
                near = max(1, round(width / heads)) * heads
                raise ValueError(
                    f'{name}={width} must be a positive multiple of num_heads={heads}: try {near}'
                )
        rest = self.out_channels - value_channels
        if rest < 1:
            raise ValueError(
                f'value_channels={value_channels} leaves {rest} of out_channels={self.out_channels} to the '
                f'convolution: with fewer heads than num_heads={heads} fewer value_channels do'
            )
        if rest % self.groups:
            raise ValueError(
                f'groups={self.groups} must divide the {rest} channels that value_channels={value_channels} leaves to '
                f'the convolution: choose value_channels as a multiple of both groups and num_heads={heads}'
            )

    def init_weights(self) -> None:
        """Initialises convolutions by Kaiming's method, relative positions by N(0, heads / dk)."""
        for conv in (self.conv, self.kqv, self.proj):
            init_conv(conv)
        for table in (self.relative_h, self.relative_w):
            nn.init.normal_(table, std=table.shape[1] ** -0.5)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H', W')."""
        key, query, value = self.kqv(x).split(self.widths, 1)
        # Not `unflatten`: after it an ONNX export treats the batch size as a constant.
        key, query, value = [
            part.reshape(x.shape[0], self.num_heads, width // self.num_heads, part.shape[2], part.shape[3])
            for part, width in strict_zip((key, query, value), self.widths)
        ]
        query = query * (self.widths[0] // self.num_heads) ** -0.5
        attended = relative_attention(query, key, value, self.relative_h, self.relative_w)
        return append_channels(self.conv(x), self.proj(attended.flatten(1, 2)))
