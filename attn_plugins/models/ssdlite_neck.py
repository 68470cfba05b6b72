"""The extra levels of SSDLite320 as in the Coordinate Attention experiments, made of stride-2 blocks.

The blocks are inverted residuals or sandglasses. mmdet's `SSDNeck` uses a 1x1 and a separable 3x3 convolution and
cannot give the published parameter counts. Structure: https://github.com/Andrew-Qibin/ssdlite-pytorch-mobilenext,
commit 6219e33.
"""

from collections.abc import Sequence

from mmcv.cnn import ConvModule
from mmdet.models.layers import InvertedResidual
from mmengine.model import BaseModule
from torch import Tensor, nn

from attn_plugins.registry import MODELS


def _inverted_residual(width: int, out: int, hidden: int, norm_cfg: dict, act_cfg: dict) -> nn.Module:
    return InvertedResidual(width, out, mid_channels=hidden, stride=2, norm_cfg=norm_cfg, act_cfg=act_cfg)


def _sandglass(width: int, out: int, hidden: int, norm_cfg: dict, act_cfg: dict) -> nn.Module:
    return nn.Sequential(
        ConvModule(width, width, 3, stride=2, padding=1, groups=width, norm_cfg=norm_cfg, act_cfg=act_cfg),
        ConvModule(width, hidden, 1, norm_cfg=norm_cfg, act_cfg=None),
        ConvModule(hidden, out, 1, norm_cfg=norm_cfg, act_cfg=act_cfg),
    )


BLOCKS = {'inverted_residual': _inverted_residual, 'sandglass': _sandglass}


@MODELS.register_module()
class SSDLiteNeck(BaseModule):
    """Passes the backbone's levels through and halves the last one repeatedly.

    Args:
        in_channels (Sequence[int]): Channels of the backbone's levels.
        block (str): 'inverted_residual', as behind MobileNetV2, or 'sandglass', as behind MobileNeXt: a depthwise 3x3
            convolution of stride 2, then two 1x1 convolutions, the first of which has no activation.
        start_is_level (bool): Whether the backbone's last level, from which the extra ones start, is returned too.
            MobileNeXt's detector starts from a map that no box is predicted from.
        out_channels (Sequence[int]): Channels of each extra level.
        expand_ratios (Sequence[float]): Hidden width of each extra level, as a part of its input's width.
        norm_cfg, act_cfg (dict): Of every convolution, the linear ones without activation.

    Shapes:
        Input: one (N, C_l, H_l, W_l) map per level of `in_channels`. Output: the same maps, then one of half the
        height and width, rounded up, per entry of `out_channels`.

    Raises:
        ValueError: `out_channels` and `expand_ratios` differ in length.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: Sequence[int] = (512, 256, 256, 64),
        expand_ratios: Sequence[float] = (0.2, 0.5, 0.5, 0.5),
        block: str = 'inverted_residual',
        start_is_level: bool = True,
        norm_cfg: dict | None = None,
        act_cfg: dict | None = None,
        init_cfg=(
            dict(type='Kaiming', layer='Conv2d', mode='fan_out'),
            dict(type='Constant', layer='BatchNorm2d', val=1),
        ),
    ) -> None:
        super().__init__(list(init_cfg) if isinstance(init_cfg, tuple) else init_cfg)
        if len(out_channels) != len(expand_ratios):
            raise ValueError(
                f'SSDLiteNeck has {len(out_channels)} out_channels and {len(expand_ratios)} expand_ratios: '
                'give one ratio per extra level.'
            )
        if block not in BLOCKS:
            raise ValueError(f'SSDLiteNeck has no block={block!r}: choose one of {", ".join(BLOCKS)}')
        self.start_is_level = start_is_level
        widths = [in_channels[-1], *out_channels]
        norm_cfg, act_cfg = norm_cfg or dict(type='BN'), act_cfg or dict(type='ReLU6')
        self.extra_layers = nn.ModuleList(
            BLOCKS[block](width, out, round(width * ratio), norm_cfg, act_cfg)
            for width, out, ratio in zip(widths, out_channels, expand_ratios, strict=False)
        )

    def forward(self, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Returns the levels of the backbone and the extra ones."""
        levels = list(inputs)
        x = levels[-1] if self.start_is_level else levels.pop()
        for layer in self.extra_layers:
            x = layer(x)
            levels.append(x)
        return tuple(levels)
