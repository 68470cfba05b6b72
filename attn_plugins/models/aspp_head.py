"""DeepLabV3's head as published: the branches are fused by a 1x1 convolution (Chen et al., arXiv 1706.05587).

mmseg's `ASPPHead` fuses them by a 3x3 convolution of nine times the weights; with it, the parameter counts that the
Coordinate Attention README prints for DeepLabV3-MobileNetV2 (4.5 M, 5.0 M) cannot be met.
"""

from mmcv.cnn import ConvModule
from mmseg.models.decode_heads import ASPPHead
from mmseg.models.decode_heads.sep_aspp_head import DepthwiseSeparableASPPModule

from attn_plugins.registry import MODELS


@MODELS.register_module()
class DeepLabV3Head(ASPPHead):
    """mmseg's `ASPPHead` with a 1x1 fusion; its other arguments, shapes and state-dict keys are the same.

    Args:
        separable (bool): The dilated 3x3 convolutions are depthwise separable, as the text of Coordinate Attention has
            them (and its table's parameter counts do not: 2.6 M instead of the printed 4.5 M).
    """

    def __init__(self, separable: bool = False, **kwargs) -> None:
        super().__init__(**kwargs)
        if separable:
            self.aspp_modules = DepthwiseSeparableASPPModule(
                dilations=self.dilations,
                in_channels=self.in_channels,
                channels=self.channels,
                conv_cfg=self.conv_cfg,
                norm_cfg=self.norm_cfg,
                act_cfg=self.act_cfg,
            )
        self.bottleneck = ConvModule(
            (len(self.dilations) + 1) * self.channels,
            self.channels,
            1,
            conv_cfg=self.conv_cfg,
            norm_cfg=self.norm_cfg,
            act_cfg=self.act_cfg,
        )
