"""The feed-forward style transfer network (Johnson et al., ECCV 2016, arXiv:1603.08155), with one of four kinds of
norm.

From jcjohnson/fast-neural-style 138faf1 (the authors): the layers c9s1-32, d64, d128, five R128, u64, u32, c9s1-3, a
norm and a ReLU after every convolution but the last, residual blocks without a ReLU after the addition, and a scaled
tanh at the end. From pytorch/examples 01c54ac: reflection padding at every convolution (the authors pad the image
once and let the blocks shrink it), and nearest resizing and a convolution where the authors have a transposed one.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from attn_plugins import plug
from attn_plugins.errors import UserError
from attn_plugins.registry import nearest

# Name -> what is said of it in plots and tables.
NORMS = {'bn': 'BN', 'in': 'IN', 'bn_se': 'BN + SE', 'iebn': 'IEBN'}
# Height and width that the reflection at the residual blocks needs, four times smaller there.
SMALLEST = 5


class ConvNorm(nn.Module):
    """norm(conv(x)), with reflection padding: height and width are kept, or halved and rounded up with a stride of 2.

    The convolution has no bias: the norm takes it away again.

    Args:
        in_channels (int): Channels of the input.
        channels (int): Channels of the output.
        norm (type): Class of the norm, which is given the channels.
        kernel_size (int): Odd.
        stride (int): 1 or 2.
    """

    def __init__(
        self, in_channels: int, channels: int, norm: type[nn.Module], kernel_size: int = 3, stride: int = 1
    ):
        super().__init__()
        self.conv = _conv(in_channels, channels, kernel_size, stride, bias=False)
        affine = dict(affine=True) if norm is nn.InstanceNorm2d else {}
        self.norm = norm(channels, **affine)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, channels, H / stride, W / stride)."""
        return self.norm(self.conv(x))


class ResidualBlock(nn.Module):
    """x + conv_norm(relu(conv_norm(x))), without a ReLU after the addition."""

    def __init__(self, channels: int, norm: type[nn.Module]):
        super().__init__()
        self.conv1 = ConvNorm(channels, channels, norm)
        self.conv2 = ConvNorm(channels, channels, norm)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        return x + self.conv2(torch.relu(self.conv1(x)))


class StyleNet(nn.Module):
    """An image in another style: 3 convolutions, 5 residual blocks, 2 upsampling convolutions and one to pixels.

    Equation:
        y = (tanh(net(x)) + 1) / 2

    The first and the last convolution are 9x9. An upsampling convolution resizes to the height and width that the map
    had before it was halved, so that any size comes out as it went in.

    Args:
        width (int): Channels of the first convolution, 32 in the publication; the blocks have four times as many.
        norm (type): Class of the norms, which is given the channels.
    """

    def __init__(self, width: int = 32, norm: type[nn.Module] = nn.BatchNorm2d):
        super().__init__()
        self.conv1 = ConvNorm(3, width, norm, kernel_size=9)
        self.conv2 = ConvNorm(width, 2 * width, norm, stride=2)
        self.conv3 = ConvNorm(2 * width, 4 * width, norm, stride=2)
        self.blocks = nn.Sequential(*[ResidualBlock(4 * width, norm) for _ in range(5)])
        self.up1 = ConvNorm(4 * width, 2 * width, norm)
        self.up2 = ConvNorm(2 * width, width, norm)
        self.pixels = _conv(width, 3, kernel_size=9)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, 3, H, W), both 0 to 1.

        Raises:
            UserError: Height or width is below 5.
        """
        if min(x.shape[-2:]) < SMALLEST:
            raise UserError(
                f'an image of {x.shape[-2]}x{x.shape[-1]} is too small for the style network: '
                f'give it at least {SMALLEST}x{SMALLEST} pixels'
            )
        whole = torch.relu(self.conv1(x))
        half = torch.relu(self.conv2(whole))
        y = self.blocks(torch.relu(self.conv3(half)))
        y = torch.relu(self.up1(interpolate(y, size=half.shape[-2:])))
        y = torch.relu(self.up2(interpolate(y, size=whole.shape[-2:])))
        return (torch.tanh(self.pixels(y)) + 1) / 2


def style_network(norm: str, width: int = 32, reduction: int = 16) -> nn.Module:
    """The network with one kind of norm: 'bn', 'in', 'bn_se' (SE after each batch norm) or 'iebn' (in place of each).

    Layers are put in after the network is built, so the same seed gives all four kinds the same convolutions.

    Args:
        norm (str): The kind.
        width (int): Channels of the first convolution.
        reduction (int): Of SE; at most `width`.

    Raises:
        UserError: There is no such kind, or the reduction leaves SE no hidden channel.
    """
    if norm not in NORMS:
        raise UserError(f'there is no norm {norm!r}: {nearest(norm, NORMS)}')
    network = StyleNet(width, nn.InstanceNorm2d if norm == 'in' else nn.BatchNorm2d)
    if norm == 'bn_se':
        plug(network, [dict(cfg=dict(type='attn_plugins.SE', reduction=reduction), after='**.norm')])
    elif norm == 'iebn':
        plug(network, [dict(cfg=dict(type='attn_plugins.IEBN'), norm='all')])
    return network


def _conv(in_channels: int, channels: int, kernel_size: int, stride: int = 1, bias: bool = True) -> nn.Conv2d:
    padding = kernel_size // 2
    return nn.Conv2d(in_channels, channels, kernel_size, stride, padding, bias=bias, padding_mode='reflect')
