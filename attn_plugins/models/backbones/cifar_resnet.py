"""ResNets and ResNeXts for 32 x 32 images: a stem of one convolution and three stages (He et al., CVPR 2016; Xie et
al., CVPR 2017).

Authors' code of the studies that take them: gbup-group/IEBN, models/cifar/iebn_resnet.py, commit ed6d563;
gbup-group/DIANet, models/cifar/dia_resnext.py, commit 51685ca."""

from abc import abstractmethod
from collections.abc import Sequence
from functools import partial

from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from torch import Tensor, nn

from attn_plugins.errors import UserError
from attn_plugins.models.backbones.staged import START, StagedBackbone
from attn_plugins.registry import MODELS


class CifarBlock(BaseModule):
    """relu(x + branch(x)); if channels or stride change, x goes through `downsample`, a 1x1 convolution and a norm."""

    attn_positions: dict[str, str]

    def __init__(self) -> None:
        super().__init__()
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Module | None = None

    def add_shortcut(self, in_channels: int, out_channels: int, stride: int, norm_cfg: dict) -> None:
        """Adds the 1x1 shortcut; it comes after the convolutions, as in the authors' state dicts."""
        if stride > 1 or in_channels != out_channels:
            self.downsample = ConvModule(
                in_channels, out_channels, 1, stride, norm_cfg=norm_cfg, act_cfg=None
            )

    @abstractmethod
    def branch(self, x: Tensor) -> Tensor:
        """Computes the branch that is added to x."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, out_channels, H / stride, W / stride), rounded up."""
        return self.relu(self.branch(x) + (x if self.downsample is None else self.downsample(x)))


class CifarBasicBlock(CifarBlock):
    """Two 3x3 convolutions.

    Args:
        in_channels (int): Channels before.
        planes (int): Channels of both, and after.
        stride (int): Of the first.
        norm_cfg (dict): As in mmcv's `ConvModule`.
    """

    expansion = 1
    convs = 2
    attn_positions = {
        'after_conv1': 'after conv1',
        'after_conv2': 'after conv2',
        'block_output': 'after .',
    }

    def __init__(self, in_channels: int, planes: int, stride: int, norm_cfg: dict) -> None:
        super().__init__()
        self.conv1 = ConvModule(in_channels, planes, 3, stride, 1, norm_cfg=norm_cfg)
        self.conv2 = ConvModule(planes, planes, 3, 1, 1, norm_cfg=norm_cfg, act_cfg=None)
        self.add_shortcut(in_channels, planes, stride, norm_cfg)

    def branch(self, x: Tensor) -> Tensor:
        """Computes the branch; its second norm has no activation."""
        return self.conv2(self.conv1(x))


class CifarBottleneck(CifarBlock):
    """A 3x3 convolution, in groups in a ResNeXt, between two of 1x1.

    Args:
        in_channels (int): Channels before.
        planes (int): A quarter of those after.
        stride (int): Of the 3x3 convolution.
        norm_cfg (dict): As in mmcv's `ConvModule`.
        groups (int): Of the 3x3 convolution.
        hidden (int, optional): Its channels; `planes` by default.
    """

    expansion = 4
    convs = 3
    attn_positions = {
        'after_conv1': 'after conv1',
        'after_conv2': 'after conv2',
        'after_conv3': 'after conv3',
        'block_output': 'after .',
    }

    def __init__(
        self,
        in_channels: int,
        planes: int,
        stride: int,
        norm_cfg: dict,
        groups: int = 1,
        hidden: int | None = None,
    ) -> None:
        super().__init__()
        hidden, out_channels = hidden or planes, planes * self.expansion
        self.conv1 = ConvModule(in_channels, hidden, 1, norm_cfg=norm_cfg)
        self.conv2 = ConvModule(hidden, hidden, 3, stride, 1, groups=groups, norm_cfg=norm_cfg)
        self.conv3 = ConvModule(hidden, out_channels, 1, norm_cfg=norm_cfg, act_cfg=None)
        self.add_shortcut(in_channels, out_channels, stride, norm_cfg)

    def branch(self, x: Tensor) -> Tensor:
        """Computes the branch; its third norm has no activation."""
        return self.conv3(self.conv2(self.conv1(x)))


BLOCKS = {'basic': CifarBasicBlock, 'bottleneck': CifarBottleneck}


def blocks_per_stage(host: str, depth: int, convs: int, others: int) -> int:
    """Returns n for a network of three stages of n blocks with `convs` convolutions each, and `others` outside of them.

    Raises:
        UserError: No n gives this depth.
    """
    blocks, rest = divmod(depth - others, 3 * convs)
    if rest or blocks < 1:
        near = 3 * convs * max(1, blocks) + others
        raise UserError(
            f'{host} has no depth={depth}: blocks of {convs} convolutions give depths {3 * convs} n + {others}, '
            f'as {near} and {near + 3 * convs}'
        )
    return blocks


@MODELS.register_module()
class CifarResNet(StagedBackbone):
    """ResNet or ResNeXt for 32 x 32 images without its classifier, which is a global pooling and one linear layer.

    `depth=20, 56, 110` with basic blocks; `depth=164, block='bottleneck'`; ResNeXt101-8x32 is
    `depth=101, block='bottleneck', base_channels=32, groups=8, width_per_group=32`. The map that is returned has
    64 channels with basic blocks, 256 with bottlenecks, 512 in the ResNeXt.

    Args:
        depth (int): 6 n + 2 with basic blocks, 9 n + 2 with bottlenecks; n blocks in each of three stages.
        block (str): 'basic' or 'bottleneck'.
        base_channels (int): Channels of the stem, and planes of the first stage; the next ones have twice and four
            times as many.
        widen_factor (float): Of all widths; each is rounded.
        groups (int): Of the 3x3 convolutions of bottlenecks.
        width_per_group (int, optional): Channels of a group in the first stage; by default a bottleneck's 3x3
            convolution has as many channels as planes.
        stem_stride (int): Of the stem's convolution; 2 for larger images, whose maps then cost a quarter.
        out_indices (Sequence[int]): Stages, 0 to 2 for `layer1` to `layer3`, whose output is returned.
        frozen_stages (int): How many stages are frozen besides the stem; 0 freezes the stem alone, -1 nothing.
        norm_cfg (dict, optional): As in mmcv's `ConvModule`; batch norm.
        norm_eval (bool): Keeps batch norms at their statistics in training.
        init_cfg (dict or Sequence[dict], optional): As in mmengine's `BaseModule`; the authors' start.

    Raises:
        UserError: No number of blocks gives the depth, there is no such block, or basic blocks are to have groups.
    """

    attn_stages = ('layer*',)

    def __init__(
        self,
        depth: int,
        block: str = 'basic',
        base_channels: int = 16,
        widen_factor: float = 1.0,
        groups: int = 1,
        width_per_group: int | None = None,
        stem_stride: int = 1,
        out_indices: Sequence[int] = (2,),
        frozen_stages: int = -1,
        norm_cfg: dict | None = None,
        norm_eval: bool = False,
        init_cfg: dict | Sequence[dict] | None = START,
    ) -> None:
        if block not in BLOCKS:
            raise UserError(f'CifarResNet has no block={block!r}: choose from {", ".join(BLOCKS)}')
        if block == 'basic' and (groups > 1 or width_per_group):
            raise UserError(
                "CifarResNet has groups in bottlenecks only: add block='bottleneck' or leave out groups"
            )
        kind, norm_cfg = BLOCKS[block], norm_cfg or dict(type='BN')
        number = blocks_per_stage(type(self).__name__, depth, kind.convs, others=2)
        channels = round(base_channels * widen_factor)
        stem = ConvModule(3, channels, 3, stem_stride, 1, norm_cfg=norm_cfg)
        stages = {}
        for stage in range(3):
            planes = round(base_channels * widen_factor * 2**stage)
            make = kind
            if block == 'bottleneck':
                hidden = planes * groups * (width_per_group or base_channels) // base_channels
                make = partial(kind, groups=groups, hidden=planes if groups == 1 else hidden)
            blocks = nn.Sequential()
            for i in range(number):
                blocks.append(make(channels, planes, 2 if stage and i == 0 else 1, norm_cfg))
                channels = planes * kind.expansion
            stages[f'layer{stage + 1}'] = blocks
        super().__init__(stem, stages, out_indices, frozen_stages, norm_eval, init_cfg)
