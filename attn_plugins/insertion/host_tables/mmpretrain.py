"""Tables of mmpretrain's hosts."""

from torch import nn

from attn_plugins.insertion.host_tables.common import (
    BASIC,
    BOTTLE2NECK,
    BOTTLENECK,
    CONVS,
    EDGE,
    HRNET,
    NAMED_CONVS,
    OUTPUT,
)
from attn_plugins.insertion.host_tables.finders import (
    runs,
    up_to_pools,
    where,
    with_blocks,
)
from attn_plugins.insertion.host_tables.lookup import Location, Stages

BLOCKS: dict[str, dict[str, Location]] = {
    'mmpretrain.models.backbones.resnet.BasicBlock': BASIC,
    'mmpretrain.models.backbones.resnet.Bottleneck': BOTTLENECK,
    'mmpretrain.models.backbones.res2net.Bottle2neck': BOTTLE2NECK,
    'mmpretrain.models.backbones.mobilenet_v2.InvertedResidual': CONVS,
    'mmpretrain.models.utils.inverted_residual.InvertedResidual': NAMED_CONVS,
    'mmpretrain.models.backbones.efficientnet.EdgeResidual': EDGE,
    'mmpretrain.models.backbones.efficientnet_v2.EnhancedConvModule': OUTPUT,
    'mmpretrain.models.backbones.shufflenet_v1.ShuffleUnit': {
        'after_depthwise': 'after depthwise_conv3x3_bn',
        'after_linear': 'after g_conv_1x1_expand',
        **OUTPUT,
    },
    'mmpretrain.models.backbones.shufflenet_v2.InvertedResidual': {
        'after_depthwise': 'after branch2.1',
        **OUTPUT,
    },
    'mmpretrain.models.backbones.convnext.ConvNeXtBlock': OUTPUT,
    'mmpretrain.models.backbones.repvgg.RepVGGBlock': OUTPUT,
    # Depthwise and pointwise blocks take turns; the host's own SE comes before their activation.
    'mmpretrain.models.backbones.mobileone.MobileOneBlock': {
        'after_depthwise': where(lambda block: block.groups > 1 and block.se_cfg is None, 'after .'),
        **OUTPUT,
    },
    # The norm of a convolution stands before the next one.
    'mmpretrain.models.backbones.densenet.DenseLayer': {'after_conv1': 'before conv2'},
    'mmpretrain.models.backbones.densenet.DenseBlock': OUTPUT,
}


def _with_transitions(host: nn.Module) -> list[tuple[str, ...]]:
    return [(f'stages.{i}', f'transitions.{i}') for i in range(host.num_stages)]


STAGES: dict[str, Stages] = {
    'mmpretrain.models.backbones.resnet.ResNet': ('layer*',),
    'mmpretrain.models.backbones.hrnet.HRNet': HRNET,
    'mmpretrain.models.backbones.mobilenet_v2.MobileNetV2': ('layer*',),
    'mmpretrain.models.backbones.mobilenet_v3.MobileNetV3': runs(''),
    'mmpretrain.models.backbones.efficientnet.EfficientNet': with_blocks('layers'),
    'mmpretrain.models.backbones.efficientnet_v2.EfficientNetV2': with_blocks('layers'),
    'mmpretrain.models.backbones.shufflenet_v1.ShuffleNetV1': ('layers.*',),
    'mmpretrain.models.backbones.shufflenet_v2.ShuffleNetV2': with_blocks('layers'),
    'mmpretrain.models.backbones.convnext.ConvNeXt': ('stages.*',),
    'mmpretrain.models.backbones.swin_transformer.SwinTransformer': ('stages.*',),
    'mmpretrain.models.backbones.vgg.VGG': up_to_pools('features'),
    'mmpretrain.models.backbones.repvgg.RepVGG': ('stage_*',),
    'mmpretrain.models.backbones.mobileone.MobileOne': ('stage1', 'stage2', 'stage3', 'stage4'),
    'mmpretrain.models.backbones.densenet.DenseNet': _with_transitions,
}
