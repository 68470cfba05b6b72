"""DeepLabV3's head as published: the branches are fused by a 1x1 convolution (Chen et al., arXiv 1706.05587).

mmseg's `ASPPHead` fuses them by a 3x3 convolution of nine times the weights; with it, the parameter counts that the
Coordinate Attention README prints for DeepLabV3-MobileNetV2 (4.5 M, 5.0 M) cannot be met.
"""

from mmcv.cnn import ConvModule
from mmseg.models.decode_heads import ASPPHead

from attn_plugins.registry import MODELS


@MODELS.register_module()
class DeepLabV3Head(ASPPHead):
    """mmseg's `ASPPHead` with a 1x1 fusion; arguments, shapes and state-dict keys are the same."""

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        self.bottleneck = ConvModule(
            (len(self.dilations) + 1) * self.channels,
            self.channels,
            1,
            conv_cfg=self.conv_cfg,
            norm_cfg=self.norm_cfg,
            act_cfg=self.act_cfg,
        )
