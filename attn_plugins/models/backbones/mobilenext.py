"""MobileNeXt: residual blocks between wide maps with the depthwise convolutions at their ends (Zhou et al., arXiv
2007.02269).

Authors' code: zhoudaquan/rethinking_bottleneck_design, mobilenext/codebase/models/mnext.py, commit 195ee73; what a
detector takes: Andrew-Qibin/ssdlite-pytorch-mobilenext, ssd/modeling/backbone/mobilenext.py, commit 6219e33."""

from collections.abc import Sequence
from functools import partial
from math import ceil

from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from attn_plugins.errors import UserError
from attn_plugins.models.backbones.staged import START, StagedBackbone, make_divisible
from attn_plugins.registry import MODELS


class Sandglass(BaseModule):
    """x + depthwise2(expand(reduce(depthwise1(x)))): two 3x3 depthwise convolutions around a 1x1 bottleneck.

    `depthwise1` and `expand` have an activation, `reduce` and `depthwise2` none. A block that changes the channels has
    no `depthwise1`, and `depthwise2` only with a stride, unless it keeps both; there is nothing to add to then.
    (Where a width makes the channels before and after a strided block equal, the authors' code drops its stride; this
    does not.)

    Args:
        in_channels, out_channels (int): Channels before and after.
        stride (int): Of the last depthwise convolution.
        reduction (int): The bottleneck has `in_channels // reduction` channels, but at least about a sixth of
            `out_channels`.
        keep_both (bool): Has both depthwise convolutions and adds nothing, whatever the channels are.
        conv_cfg, norm_cfg, act_cfg (dict, optional): As in mmcv's `ConvModule`.
        with_cp (bool): Computes the block again in the backward pass instead of keeping its maps.
    """

    attn_positions = {
        'after_depthwise': 'after depthwise1',
        'after_expand': 'after expand',
        'after_linear': 'after depthwise2',
        'block_output': 'after .',
    }

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int = 1,
        reduction: int = 6,
        keep_both: bool = False,
        conv_cfg: dict | None = None,
        norm_cfg: dict | None = None,
        act_cfg: dict | None = None,
        with_cp: bool = False,
    ) -> None:
        super().__init__()
        conv = partial(ConvModule, conv_cfg=conv_cfg, norm_cfg=norm_cfg or dict(type='BN'))
        act_cfg = act_cfg or dict(type='ReLU6')
        hidden = in_channels // reduction
        if hidden < out_channels / 6:
            hidden = make_divisible(ceil(out_channels / 6), 16)
        depthwise = partial(conv, kernel_size=3, padding=1)
        self.with_cp = with_cp
        self.residual = not keep_both and stride == 1 and in_channels == out_channels
        self.depthwise1 = self.depthwise2 = None
        if keep_both or self.residual:
            self.depthwise1 = depthwise(in_channels, in_channels, groups=in_channels, act_cfg=act_cfg)
        self.reduce = conv(in_channels, hidden, 1, act_cfg=None)
        self.expand = conv(hidden, out_channels, 1, act_cfg=act_cfg)
        if keep_both or self.residual or stride > 1:
            self.depthwise2 = depthwise(
                out_channels, out_channels, stride=stride, groups=out_channels, act_cfg=None
            )

    def forward(self, x: Tensor, expanded: list[Tensor] | None = None) -> Tensor:
        """(N, in_channels, H, W) to (N, out_channels, H / stride, W / stride), rounded up.

        Args:
            x (Tensor): The map.
            expanded (list[Tensor], optional): Gets the (N, out_channels, H, W) map before `depthwise2`.
        """
        if self.with_cp and x.requires_grad:
            y, wide = checkpoint(self._run, x, use_reentrant=False)
        else:
            y, wide = self._run(x)
        if expanded is not None:
            expanded.append(wide)
        return y

    def _run(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = x if self.depthwise1 is None else self.depthwise1(x)
        wide = self.expand(self.reduce(y))
        y = wide if self.depthwise2 is None else self.depthwise2(wide)
        return (x + y if self.residual else y), wide


@MODELS.register_module()
class MobileNeXt(StagedBackbone):
    """MobileNeXt without its classifier, which is a global pooling and one linear layer.

    Coordinate Attention stands after the first depthwise convolution. The first blocks of five stages have none, so
    an entry says
    `stages=(True, True, (False, True, True), (False, True, True), (False, True, True, True), (False, True, True, True),
    (False, True, True), True)`, which is also what its error message proposes.

    Args:
        widen_factor (float): Width; the 1280 channels of the last stage are never less.
        out_indices (Sequence[int]): Stages, 0 to 7 for `layer1` to `layer8`, whose output is returned.
        expanded_out_indices (Sequence[int]): Stages whose first block also returns the map before its last depthwise
            convolution, of the stage's channels and the size before its stride. It comes before the stage's output,
            if that is returned too. SSDLite320 takes 5 and 7: 576 channels at stride 16 and 1280 at stride 32.
        frozen_stages (int): How many stages are frozen besides the stem; 0 freezes the stem alone, -1 nothing.
        conv_cfg, norm_cfg, act_cfg (dict, optional): As in mmcv's `ConvModule`; batch norm and ReLU6.
        norm_eval (bool): Keeps batch norms at their statistics in training.
        with_cp (bool): Computes the blocks again in the backward pass instead of keeping their maps.
        init_cfg (dict or Sequence[dict], optional): As in mmengine's `BaseModule`; the authors' start.

    Raises:
        UserError: There is no stage of an index, or no such map in it.
    """

    # Reduction, channels, blocks, stride of the first block. A stage of one block keeps both depthwise convolutions.
    arch_settings = (
        (2, 96, 1, 2),
        (6, 144, 1, 1),
        (6, 192, 3, 2),
        (6, 288, 3, 2),
        (6, 384, 4, 1),
        (6, 576, 4, 2),
        (6, 960, 3, 1),
        (6, 1280, 1, 1),
    )
    attn_stages = ('layer*',)

    def __init__(
        self,
        widen_factor: float = 1.0,
        out_indices: Sequence[int] = (7,),
        expanded_out_indices: Sequence[int] = (),
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
        divisor = 4 if widen_factor == 0.1 else 8
        channels = make_divisible(32 * widen_factor, divisor)
        stem = ConvModule(3, channels, 3, stride=2, padding=1, **cfgs)
        stages = {}
        for number, (reduction, base, blocks, stride) in enumerate(self.arch_settings, 1):
            out_channels = make_divisible(base * widen_factor, divisor)
            if number == len(self.arch_settings):
                out_channels = max(out_channels, base)
            stage = nn.Sequential()
            for block in range(blocks):
                first = stride if block == 0 else 1
                stage.append(
                    Sandglass(channels, out_channels, first, reduction, blocks == 1, with_cp=with_cp, **cfgs)
                )
                channels = out_channels
            stages[f'layer{number}'] = stage
        super().__init__(stem, stages, out_indices, frozen_stages, norm_eval, init_cfg)
        self.check_indices('expanded_out_indices', expanded_out_indices)
        for index in expanded_out_indices:
            if stages[self.layers[index]][0].depthwise2 is None:
                raise UserError(
                    f'the first block of stage {index} ({self.layers[index]}) ends with its expansion: name it in '
                    'out_indices instead of expanded_out_indices'
                )
        self.expanded_out_indices = tuple(expanded_out_indices)

    def run_stage(self, index: int, stage: nn.Module, x: Tensor, outs: list[Tensor]) -> Tensor:
        """Runs a stage; appends the first block's map before its last depthwise convolution if that is an output."""
        if index not in self.expanded_out_indices:
            return stage(x)
        first, *others = stage
        x = first(x, outs)
        for block in others:
            x = block(x)
        return x
