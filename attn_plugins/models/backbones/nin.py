"""Network in Network for 32 x 32 images: 1x1 convolutions after each spatial one (Lin et al., ICLR 2014).

With batch norms, as in szagoruyko/cifar.torch, models/nin.lua: the attention transfer study is by the same author,
and does not say which form it takes."""

from collections.abc import Sequence

from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from torch import Tensor, nn

from attn_plugins.models.backbones.staged import START, StagedBackbone
from attn_plugins.registry import MODELS

BATCH_NORM = dict(type='BN')


class NINBlock(BaseModule):
    """A spatial convolution and 1x1 convolutions, then a pooling with stride 2 and dropout.

    Each convolution is followed by a norm, if there is one, and ReLU.

    Args:
        in_channels (int): Channels before.
        channels (Sequence[int]): Of each convolution.
        kernel (int): Size of the first.
        pool (nn.Module, optional): None in the last block.
        dropout (float): After the pooling.
        norm_cfg (dict, optional): As in mmcv's `ConvModule`.
    """

    attn_positions = {
        'after_conv1': 'after conv1',
        'after_conv2': 'after conv2',
        'block_output': 'after .',
    }

    def __init__(
        self,
        in_channels: int,
        channels: Sequence[int],
        kernel: int,
        pool: nn.Module | None,
        dropout: float,
        norm_cfg: dict | None,
    ) -> None:
        super().__init__()
        for number, (before, after) in enumerate(zip((in_channels, *channels), channels, strict=False), 1):
            size = kernel if number == 1 else 1
            self.add_module(
                f'conv{number}', ConvModule(before, after, size, padding=size // 2, norm_cfg=norm_cfg)
            )
        if pool is not None:
            self.pool = pool
            self.dropout = nn.Dropout(dropout, inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, channels[-1], H / 2, W / 2), or of the same size without pooling."""
        for module in self.children():
            x = module(x)
        return x


@MODELS.register_module()
class NIN(StagedBackbone):
    """Network in Network without its classifier.

    Deviations: the last 1x1 convolution has one channel per class there, with norm and ReLU before the global
    pooling; here a linear layer after the pooling takes its place. With it NIN has 968,394 parameters for ten classes
    (the study prints 1 M for its wide one) and 246,890 with `widen_factor=0.5` (it prints 0.2 M for its thin one, and
    no widths).

    Args:
        widen_factor (float): Of all widths; each is rounded.
        dropout (float): After the first two stages.
        out_indices (Sequence[int]): Stages, 0 to 2 for `layer1` to `layer3`, whose output is returned.
        frozen_stages (int): How many stages are frozen; -1 for none. There is no stem: it is the first stage.
        norm_cfg (dict, optional): As in mmcv's `ConvModule`; batch norm. None leaves the norms out and gives the
            convolutions biases, as the study's comparison of gradients has it.
        norm_eval (bool): Keeps batch norms at their statistics in training.
        init_cfg (dict or Sequence[dict], optional): As in mmengine's `BaseModule`; Kaiming's start.
    """

    attn_stages = ('layer*',)

    def __init__(
        self,
        widen_factor: float = 1.0,
        dropout: float = 0.5,
        out_indices: Sequence[int] = (2,),
        frozen_stages: int = -1,
        norm_cfg: dict | None = BATCH_NORM,
        norm_eval: bool = False,
        init_cfg: dict | Sequence[dict] | None = START,
    ) -> None:
        widths = [
            [round(width * widen_factor) for width in stage]
            for stage in ((192, 160, 96), (192, 192, 192), (192, 192))
        ]
        pools = (nn.MaxPool2d(3, 2, ceil_mode=True), nn.AvgPool2d(3, 2, ceil_mode=True), None)
        stages, channels = {}, 3
        for number, (width, kernel, pool) in enumerate(zip(widths, (5, 5, 3), pools, strict=True), 1):
            stages[f'layer{number}'] = nn.Sequential(
                NINBlock(channels, width, kernel, pool, dropout, norm_cfg)
            )
            channels = width[-1]
        super().__init__(nn.Identity(), stages, out_indices, frozen_stages, norm_eval, init_cfg)
