"""Tables of torchvision's hosts."""

from torch import nn

from attn_plugins.insertion.host_tables.common import (
    BASIC_BN,
    BOTTLENECK_BN,
    OUTPUT,
)
from attn_plugins.insertion.host_tables.finders import (
    child,
    runs,
    up_to_pools,
    with_blocks,
)
from attn_plugins.insertion.host_tables.lookup import Location, Stages

# In torchvision each unit of convolution, norm and activation is a Sequential; the SE between them is not.
UNITS = {
    'after_expand': child('block', -3, nn.Sequential),
    'after_depthwise': child('block', -2, nn.Sequential),
    'after_linear': child('block', -1, nn.Sequential),
    **OUTPUT,
}

BLOCKS: dict[str, dict[str, Location]] = {
    'torchvision.models.resnet.BasicBlock': BASIC_BN,
    'torchvision.models.resnet.Bottleneck': BOTTLENECK_BN,
    'torchvision.models.mobilenetv2.InvertedResidual': {
        'after_expand': child('conv', -4),
        'after_depthwise': 'after conv.-3',
        'after_linear': 'after conv.-1',
        **OUTPUT,
    },
    'torchvision.models.mobilenetv3.InvertedResidual': UNITS,
    'torchvision.models.efficientnet.MBConv': UNITS,
    # Without expansion it is one convolution with its activation.
    'torchvision.models.efficientnet.FusedMBConv': {
        'after_expand': child('block', -2),
        'after_linear': child('block', -1, least=2),
        **OUTPUT,
    },
    'torchvision.models.shufflenetv2.InvertedResidual': {'after_depthwise': 'after branch2.4', **OUTPUT},
    'torchvision.models.convnext.CNBlock': OUTPUT,
}


STAGES: dict[str, Stages] = {
    'torchvision.models.resnet.ResNet': ('layer*',),
    'torchvision.models.mobilenetv2.MobileNetV2': runs('features'),
    'torchvision.models.mobilenetv3.MobileNetV3': runs('features'),
    'torchvision.models.efficientnet.EfficientNet': with_blocks('features'),
    'torchvision.models.shufflenetv2.ShuffleNetV2': ('stage*',),
    'torchvision.models.vgg.VGG': up_to_pools('features'),
    'torchvision.models.convnext.ConvNeXt': with_blocks('features'),
}
