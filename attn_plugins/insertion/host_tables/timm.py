"""Tables of timm's hosts."""

from torch import nn

from attn_plugins.insertion.host_tables.common import (
    BASIC_BN,
    BOTTLENECK_BN,
    OUTPUT,
)
from attn_plugins.insertion.host_tables.finders import (
    children,
    where,
    without_plugs,
)
from attn_plugins.insertion.host_tables.lookup import Location, Stages

BLOCKS: dict[str, dict[str, Location]] = {
    'timm.models.resnet.BasicBlock': BASIC_BN,
    'timm.models.resnet.Bottleneck': BOTTLENECK_BN,
    # timm's norms hold their activation.
    'timm.models._efficientnet_blocks.InvertedResidual': {
        'after_expand': 'after bn1',
        'after_depthwise': 'after bn2',
        'after_linear': 'after bn3',
        **OUTPUT,
    },
    'timm.models._efficientnet_blocks.DepthwiseSeparableConv': {
        'after_depthwise': 'after bn1',
        'after_linear': where(lambda block: not block.has_pw_act, 'after bn2'),
        **OUTPUT,
    },
    'timm.models._efficientnet_blocks.EdgeResidual': {
        'after_expand': 'after bn1',
        'after_linear': 'after bn2',
        **OUTPUT,
    },
    'timm.models._efficientnet_blocks.ConvBnAct': OUTPUT,
    # MobileNetV4's; some have no depthwise convolution between expansion and projection.
    'timm.models._efficientnet_blocks.UniversalInvertedResidual': {
        'after_expand': 'after pw_exp',
        'after_depthwise': where(
            lambda block: not isinstance(without_plugs(block.dw_mid), nn.Identity), 'after dw_mid'
        ),
        'after_linear': 'after pw_proj',
        **OUTPUT,
    },
    'timm.models._efficientnet_blocks.MobileAttention': OUTPUT,
    'timm.models.convnext.ConvNeXtBlock': OUTPUT,
}


def _without_final_conv(host: nn.Module) -> list[tuple[str, ...]]:
    """Lists the stages without a final 1x1 convolution.

    The last of timm's blocks is that convolution in MobileNetV3 and a stage in MobileNetV2.
    """
    *names, last = children(host, 'blocks')
    convs = [getattr(block, 'conv', None) for block in children(host, last).values()]
    final = all(getattr(conv, 'kernel_size', None) == (1, 1) for conv in convs)
    return [(name,) for name in (names if final else [*names, last])]


STAGES: dict[str, Stages] = {
    'timm.models.resnet.ResNet': ('layer*',),
    'timm.models.efficientnet.EfficientNet': _without_final_conv,
    'timm.models.efficientnet.EfficientNetFeatures': _without_final_conv,
    'timm.models.mobilenetv3.MobileNetV3': _without_final_conv,
    'timm.models.mobilenetv3.MobileNetV3Features': _without_final_conv,
    'timm.models.convnext.ConvNeXt': ('stages.*',),
}
