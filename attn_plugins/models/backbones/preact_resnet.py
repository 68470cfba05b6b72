"""Residual networks with norm and ReLU before the convolutions, for 32 x 32 images: PreResNet and wide ResNet.

He et al., ECCV 2016; Zagoruyko and Komodakis, BMVC 2016. Authors' code of the studies that take them:
gbup-group/DIANet, models/cifar/dia_preresnet.py and dia_wrn.py, commit 51685ca."""

from collections import OrderedDict
from collections.abc import Callable, Sequence

import torch.nn.functional as F
from mmcv.cnn import build_norm_layer
from mmengine.model import BaseModule
from torch import Tensor, nn

from attn_plugins.models.backbones.cifar_resnet import blocks_per_stage
from attn_plugins.models.backbones.staged import START, StagedBackbone
from attn_plugins.registry import MODELS


def _last(block: nn.Module) -> str:
    """Names the position after the module that ends the branch."""
    return f'after {block.last}'


class PreActBlock(BaseModule):
    """x + branch(x) of convolutions with a norm and a ReLU before each; after the sum there is neither.

    Args:
        in_channels, out_channels (int): Channels before and after.
        stride (int): Of the first 3x3 convolution.
        norm_cfg (dict): As in mmcv's `build_norm_layer`.
        extra_norm (bool): Has a norm after the last convolution too. DIANet puts it before its attention.
    """

    # Kernel sizes, and of each but the last the channels as a part of those after.
    kernels: tuple[int, ...]
    expansion = 1

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int,
        norm_cfg: dict,
        extra_norm: bool = False,
    ) -> None:
        super().__init__()
        channels, self.norms = in_channels, []
        strided = self.kernels.index(3)
        for i, kernel in enumerate(self.kernels):
            following = out_channels if i == len(self.kernels) - 1 else out_channels // self.expansion
            self._add_norm(norm_cfg, channels, i + 1)
            conv = nn.Conv2d(
                channels, following, kernel, stride if i == strided else 1, kernel // 2, bias=False
            )
            self.add_module(f'conv{i + 1}', conv)
            channels = following
        self.downsample = None
        if stride > 1 or in_channels != out_channels:
            # In a container: mmcv's fuse_conv_bn takes the last convolution beside a norm for the one that feeds it.
            self.downsample = nn.Sequential(nn.Conv2d(in_channels, out_channels, 1, stride, bias=False))
        self.last = f'conv{len(self.kernels)}'
        if extra_norm:
            self.last = self._add_norm(norm_cfg, out_channels, len(self.kernels) + 1)

    def _add_norm(self, norm_cfg: dict, channels: int, number: int) -> str:
        name, norm = build_norm_layer(norm_cfg, channels, number)
        self.add_module(name, norm)
        self.norms.append(name)
        return name

    def between(self, x: Tensor) -> Tensor:
        """Processes a map before the second convolution."""
        return x

    def activated(self, x: Tensor, number: int) -> Tensor:
        """Computes relu(norm(x)), the input of convolution `number`."""
        return F.relu(getattr(self, self.norms[number - 1])(x), inplace=True)

    def shortcut(self, x: Tensor, activated: Tensor) -> Tensor:
        """Returns the map that the branch is added to."""
        return x if self.downsample is None else self.downsample(x)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, out_channels, H / stride, W / stride), rounded up."""
        first = y = self.activated(x, 1)
        for number in range(1, len(self.kernels) + 1):
            y = getattr(self, f'conv{number}')(y)
            if number < len(self.kernels):
                y = self.activated(y, number + 1)
                y = self.between(y) if number == 1 else y
        if len(self.norms) > len(self.kernels):
            y = getattr(self, self.norms[-1])(y)
        return y + self.shortcut(x, first)


class PreActBottleneck(PreActBlock):
    """A 3x3 convolution between two of 1x1; the projection of the shortcut reads x itself."""

    kernels = (1, 3, 1)
    expansion = 4
    attn_positions = {
        'after_conv1': 'before conv2',
        'after_conv2': 'before conv3',
        'after_conv3': _last,
        'block_output': 'after .',
    }


class WideBlock(PreActBlock):
    """Two 3x3 convolutions with dropout between them; the projection of the shortcut reads the activated x.

    Args:
        dropout (float): Share of the values that are dropped before the second convolution in training.
    """

    kernels = (3, 3)
    attn_positions = {'after_conv1': 'before conv2', 'after_conv2': _last, 'block_output': 'after .'}

    def __init__(self, *args, dropout: float = 0.0, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.dropout = dropout

    def between(self, x: Tensor) -> Tensor:
        """Applies dropout."""
        return F.dropout(x, self.dropout, self.training)

    def shortcut(self, x: Tensor, activated: Tensor) -> Tensor:
        """Returns the shortcut; if the channels change, it is computed from the activated x."""
        return x if self.downsample is None else self.downsample(activated)


class PreActBackbone(StagedBackbone):
    """A convolution, three stages of blocks, a norm and a ReLU, which belong to the map of the last stage.

    Args:
        make (Callable): (channels before, channels after, stride) -> a block.
        blocks (int): In each stage.
        channels (Sequence[int]): Of the stem and after each stage.
        norm_cfg (dict): As in mmcv's `build_norm_layer`.
        options: As in `StagedBackbone`.
    """

    attn_stages = ('layer*',)

    def __init__(
        self,
        make: Callable[[int, int, int], nn.Module],
        blocks: int,
        channels: Sequence[int],
        norm_cfg: dict,
        **options,
    ) -> None:
        stem = nn.Conv2d(3, channels[0], 3, padding=1, bias=False)
        stages = {}
        for stage, (before, after) in enumerate(zip(channels, channels[1:], strict=False)):
            stages[f'layer{stage + 1}'] = nn.Sequential(
                *(make(after if i else before, after, 2 if stage and i == 0 else 1) for i in range(blocks))
            )
        super().__init__(stem, stages, **options)
        name, norm = build_norm_layer(norm_cfg, channels[-1])
        self.final = nn.Sequential(OrderedDict({name: norm, 'relu': nn.ReLU(inplace=True)}))

    def run_stage(self, index: int, stage: nn.Module, x: Tensor, outs: list[Tensor]) -> Tensor:
        """Runs a stage.

        The last stage's map is normalised and activated; the others are sums, as the next stage reads them.
        """
        x = stage(x)
        return x if index < 2 else self.final(x)


@MODELS.register_module()
class PreResNet(PreActBackbone):
    """PreResNet with bottlenecks without its classifier, which is a global pooling and one linear layer.

    PreResNet164 is `depth=164`. The map that is returned has 256 channels.

    Args:
        depth (int): 9 n + 2, n bottlenecks in each of three stages.
        widen_factor (float): Of all widths; each is rounded.
        extra_norm (bool): A norm after the last convolution of every block, as DIANet has it.
        out_indices (Sequence[int]): Stages, 0 to 2 for `layer1` to `layer3`, whose output is returned.
        frozen_stages (int): How many stages are frozen besides the stem; 0 freezes the stem alone, -1 nothing.
        norm_cfg (dict, optional): As in mmcv's `build_norm_layer`; batch norm.
        norm_eval (bool): Keeps batch norms at their statistics in training.
        init_cfg (dict or Sequence[dict], optional): As in mmengine's `BaseModule`; the authors' start.

    Raises:
        UserError: No number of blocks gives the depth.
    """

    def __init__(
        self,
        depth: int,
        widen_factor: float = 1.0,
        extra_norm: bool = False,
        out_indices: Sequence[int] = (2,),
        frozen_stages: int = -1,
        norm_cfg: dict | None = None,
        norm_eval: bool = False,
        init_cfg: dict | Sequence[dict] | None = START,
    ) -> None:
        norm_cfg = norm_cfg or dict(type='BN')
        planes = [round(base * widen_factor) for base in (16, 32, 64)]
        super().__init__(
            lambda before, after, stride: PreActBottleneck(before, after, stride, norm_cfg, extra_norm),
            blocks_per_stage('PreResNet', depth, 3, others=2),
            [planes[0], *(4 * width for width in planes)],
            norm_cfg,
            out_indices=out_indices,
            frozen_stages=frozen_stages,
            norm_eval=norm_eval,
            init_cfg=init_cfg,
        )


@MODELS.register_module()
class WideResNet(PreActBackbone):
    """Wide ResNet without its classifier, which is a global pooling and one linear layer.

    WRN-16-1 is `depth=16, widen_factor=1`, WRN-52-4 `depth=52, widen_factor=4`. The map that is returned has
    64 widen_factor channels.

    Args:
        depth (int): 6 n + 4, n blocks of two convolutions in each of three stages.
        widen_factor (float): Of the widths of the stages, each rounded; the stem has 16 channels.
        dropout (float): In every block, between its convolutions.
        extra_norm (bool): A norm after the last convolution of every block, as DIANet has it.
        out_indices (Sequence[int]): Stages, 0 to 2 for `layer1` to `layer3`, whose output is returned.
        frozen_stages (int): How many stages are frozen besides the stem; 0 freezes the stem alone, -1 nothing.
        norm_cfg (dict, optional): As in mmcv's `build_norm_layer`; batch norm.
        norm_eval (bool): Keeps batch norms at their statistics in training.
        init_cfg (dict or Sequence[dict], optional): As in mmengine's `BaseModule`; the authors' start.

    Raises:
        UserError: No number of blocks gives the depth.
    """

    def __init__(
        self,
        depth: int,
        widen_factor: float = 1.0,
        dropout: float = 0.0,
        extra_norm: bool = False,
        out_indices: Sequence[int] = (2,),
        frozen_stages: int = -1,
        norm_cfg: dict | None = None,
        norm_eval: bool = False,
        init_cfg: dict | Sequence[dict] | None = START,
    ) -> None:
        norm_cfg = norm_cfg or dict(type='BN')
        super().__init__(
            lambda before, after, stride: WideBlock(
                before, after, stride, norm_cfg, extra_norm, dropout=dropout
            ),
            blocks_per_stage('WideResNet', depth, 2, others=4),
            [16, *(round(base * widen_factor) for base in (16, 32, 64))],
            norm_cfg,
            out_indices=out_indices,
            frozen_stages=frozen_stages,
            norm_eval=norm_eval,
            init_cfg=init_cfg,
        )
