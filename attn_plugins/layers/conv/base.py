"""The base of all convolutions: like `nn.Conv2d` they have its arguments, its attributes and its output shape."""

from mmengine.utils import to_2tuple
from torch import nn

from attn_plugins.layers.checks import check_kernel_size
from attn_plugins.layers.layer import Layer

Size = int | tuple[int, int]


class ConvLike(Layer):
    """Holds the attributes that hosts read from a convolution (`ConvModule` copies them) and checks the arguments.

    Args:
        in_channels (int): C.
        out_channels (int): C'.
        kernel_size (int or tuple): k, odd and square.
        stride (int or tuple): Vertical and horizontal.
        padding (int or tuple): Vertical and horizontal.
        dilation (int or tuple): Vertical and horizontal.
        groups (int): Of the convolution inside; it divides C and C'.

    Raises:
        ValueError: The kernel has no centre or is not square, or the groups do not divide the channels.
    """

    transposed = False
    output_padding = (0, 0)
    padding_mode = 'zeros'

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size,
        padding: Size,
        dilation: Size,
        groups: int,
    ):
        super().__init__(in_channels)
        self.out_channels = out_channels
        self.kernel_size = to_2tuple(kernel_size)
        self.stride = to_2tuple(stride)
        self.padding = to_2tuple(padding)
        self.dilation = to_2tuple(dilation)
        self.groups = groups
        if self.kernel_size[0] != self.kernel_size[1]:
            raise ValueError(f'kernel_size={self.kernel_size} must be square: try {self.kernel_size[0]}')
        check_kernel_size(self.kernel_size[0])
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ValueError(
                f'groups={groups} must divide in_channels={in_channels} and out_channels={out_channels}: '
                'groups=1 always does'
            )

    def need_same_padding(self) -> None:
        """Refuses a padding other than half the kernel's reach: output and attention would not share a grid.

        Raises:
            ValueError: The message names the padding that fits.
        """
        fitting = tuple(step * (self.kernel_size[0] // 2) for step in self.dilation)
        if self.padding != fitting:
            raise ValueError(
                f'padding={self.padding} does not keep the places of kernel_size={self.kernel_size[0]} with '
                f'dilation={self.dilation}, which the attention needs: use padding={fitting}'
            )


def init_conv(conv: nn.Conv2d) -> None:
    """Initialises a convolution as in a ResNet: weights N(0, 2 / fan_out), zero bias."""
    nn.init.kaiming_normal_(conv.weight, mode='fan_out', nonlinearity='relu')
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
