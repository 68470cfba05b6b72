"""HBONet: inverted residuals that are computed at half the size of their map (Li et al., ICCV 2019, arXiv 1908.03888).

Authors' code: d-li14/HBONet, models/imagenet/hbonet.py, commit e9a76c1; this is its main model, which halves the size
in every block."""

from collections.abc import Sequence
from functools import partial

import torch
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate
from torch.utils.checkpoint import checkpoint

from attn_plugins.errors import UserError
from attn_plugins.models.backbones.staged import START, StagedBackbone, make_divisible
from attn_plugins.registry import MODELS

# For both kinds of blocks: linear_conv ends the computing branch, before it is joined with the input.
POSITIONS = {
    'after_expand': 'after expand_conv',
    'after_depthwise': 'after depthwise_conv',
    'after_linear': 'after linear_conv',
    'block_output': 'after .',
}


class InvertedResidual(BaseModule):
    """x + linear(depthwise(expand(x))); MobileNetV2's block, with the hidden width rounded as the authors do.

    Args:
        in_channels, out_channels (int): Channels before and after; where they differ there is nothing to add to.
        stride (int): Of the depthwise convolution; with 2 there is nothing to add to.
        expand_ratio (int): Hidden width, as a multiple of `in_channels`; with 1 there is no expansion.
        with_cp (bool): Computes the block again in the backward pass instead of keeping its maps.
        cfgs: `conv_cfg`, `norm_cfg` and `act_cfg` of mmcv's `ConvModule`.
    """

    attn_positions = POSITIONS

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int = 1,
        expand_ratio: int = 6,
        with_cp: bool = False,
        **cfgs: dict | None,
    ) -> None:
        super().__init__()
        hidden = in_channels * expand_ratio
        self.with_cp = with_cp
        self.residual = stride == 1 and in_channels == out_channels
        self.expand_conv = None if expand_ratio == 1 else ConvModule(in_channels, hidden, 1, **cfgs)
        self.depthwise_conv = ConvModule(hidden, hidden, 3, stride, 1, groups=hidden, **cfgs)
        self.linear_conv = ConvModule(hidden, out_channels, 1, **{**cfgs, 'act_cfg': None})

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, out_channels, H / stride, W / stride), rounded up."""
        return (
            checkpoint(self._run, x, use_reentrant=False)
            if self.with_cp and x.requires_grad
            else self._run(x)
        )

    def _run(self, x: Tensor) -> Tensor:
        y = x if self.expand_conv is None else self.expand_conv(x)
        y = self.linear_conv(self.depthwise_conv(y))
        return x + y if self.residual else y


class HarmoniousBottleneck(BaseModule):
    """An inverted residual at half the size makes the second half of the channels; the first are those of the input.

    `contract_conv` halves the size; expansion, depthwise convolution and projection follow. With stride 1 the result is
    brought back to the input's size, added to the input's first channels and smoothed by `smooth_conv`; with stride 2
    it stays as it is and the input's channels are averaged over 2 x 2 places. Maps of an odd height or width, on
    which the authors' code fails, are rounded up.

    Args:
        in_channels, out_channels (int): Channels before and after.
        stride (int): 1 or 2.
        expand_ratio (int): Hidden width, as a multiple of `in_channels`.
        with_cp (bool): Computes the block again in the backward pass instead of keeping its maps.
        cfgs: `conv_cfg`, `norm_cfg` and `act_cfg` of mmcv's `ConvModule`.

    Raises:
        UserError: The input has fewer channels than are taken of it.
    """

    attn_positions = POSITIONS

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int = 1,
        expand_ratio: int = 2,
        with_cp: bool = False,
        **cfgs: dict | None,
    ) -> None:
        super().__init__()
        hidden, half = in_channels * expand_ratio, out_channels // 2
        if in_channels < out_channels - half:
            raise UserError(
                f'a block that takes {out_channels - half} channels of its input is given {in_channels}: choose a '
                'widen_factor whose stages at most double their channels, such as 1.0, 0.8 or 0.5'
            )
        conv = partial(ConvModule, **cfgs)
        linear = partial(ConvModule, **{**cfgs, 'act_cfg': None})
        self.with_cp = with_cp
        self.stride = stride
        self.taken = out_channels - half
        self.contract_conv = linear(in_channels, in_channels, 5, 2, 2, groups=in_channels)
        self.expand_conv = conv(in_channels, hidden, 1)
        self.depthwise_conv = conv(hidden, hidden, 3, 1, 1, groups=hidden)
        self.linear_conv = linear(hidden, half, 1)
        self.smooth_conv = linear(half, half, 5, 1, 2, groups=half) if stride == 1 else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, out_channels, H / stride, W / stride), rounded up."""
        return (
            checkpoint(self._run, x, use_reentrant=False)
            if self.with_cp and x.requires_grad
            else self._run(x)
        )

    def _run(self, x: Tensor) -> Tensor:
        y = self.linear_conv(self.depthwise_conv(self.expand_conv(self.contract_conv(x))))
        taken = x[:, -self.taken :]
        if self.stride == 2:
            return torch.cat((avg_pool2d(taken, 2, ceil_mode=True), y), dim=1)
        y = interpolate(y, size=x.shape[-2:])
        return torch.cat((taken, self.smooth_conv(x[:, : y.shape[1]] + y)), dim=1)


@MODELS.register_module()
class HBONet(StagedBackbone):
    """HBONet without its classifier, which is a global pooling and one linear layer.

    The stages are those of the authors' table, `layer1` to `layer8`, and the last convolution, `conv2`; the linear 1x1
    convolution that narrows the map for the last two stages ends `layer6`.

    Args:
        widen_factor (float): Width; the 1600 channels of `conv2` are never less.
        out_indices (Sequence[int]): Stages, 0 to 7 for `layer1` to `layer8` and 8 for `conv2`, whose output is
            returned.
        frozen_stages (int): How many stages are frozen besides the stem; 0 freezes the stem alone, -1 nothing.
        conv_cfg, norm_cfg, act_cfg (dict, optional): As in mmcv's `ConvModule`; batch norm and ReLU6.
        norm_eval (bool): Keeps batch norms at their statistics in training.
        with_cp (bool): Computes the blocks again in the backward pass instead of keeping their maps.
        init_cfg (dict or Sequence[dict], optional): As in mmengine's `BaseModule`; the authors' start.

    Raises:
        UserError: There is no stage of an index, or a width at which the blocks do not fit together.
    """

    # Block, expansion, channels, blocks, stride of the first block, channels of the convolution that ends the stage.
    arch_settings = (
        (InvertedResidual, 1, 20, 1, 1, None),
        (HarmoniousBottleneck, 2, 36, 1, 1, None),
        (HarmoniousBottleneck, 2, 72, 3, 2, None),
        (HarmoniousBottleneck, 2, 96, 4, 2, None),
        (HarmoniousBottleneck, 2, 192, 4, 2, None),
        (HarmoniousBottleneck, 2, 288, 1, 1, 144),
        (InvertedResidual, 6, 200, 2, 2, None),
        (InvertedResidual, 6, 400, 1, 1, None),
    )
    # Widths are multiples of 8, but for these.
    divisors = {0.1: 4, 0.25: 2, 0.5: 2}
    attn_stages = ('layer*',)

    def __init__(
        self,
        widen_factor: float = 1.0,
        out_indices: Sequence[int] = (8,),
        frozen_stages: int = -1,
        conv_cfg: dict | None = None,
        norm_cfg: dict | None = None,
        act_cfg: dict | None = None,
        norm_eval: bool = False,
        with_cp: bool = False,
        init_cfg: dict | Sequence[dict] | None = START,
    ) -> None:
        cfgs = dict(
            conv_cfg=conv_cfg, norm_cfg=norm_cfg or dict(type='BN'), act_cfg=act_cfg or dict(type='ReLU6')
        )
        width = partial(make_divisible, divisor=self.divisors.get(widen_factor, 8))
        channels = width(32 * widen_factor)
        stem = ConvModule(3, channels, 3, stride=2, padding=1, **cfgs)
        stages = {}
        for number, (block, ratio, base, blocks, stride, narrow) in enumerate(self.arch_settings, 1):
            stage, out_channels = nn.Sequential(), width(base * widen_factor)
            for index in range(blocks):
                first = stride if index == 0 else 1
                stage.append(block(channels, out_channels, first, ratio, with_cp, **cfgs))
                channels = out_channels
            if narrow is not None:
                out_channels = width(narrow * widen_factor)
                stage.append(ConvModule(channels, out_channels, 1, **{**cfgs, 'act_cfg': None}))
                channels = out_channels
            stages[f'layer{number}'] = stage
        stages['conv2'] = ConvModule(channels, max(1600, width(1600 * widen_factor)), 1, **cfgs)
        super().__init__(stem, stages, out_indices, frozen_stages, norm_eval, init_cfg)
