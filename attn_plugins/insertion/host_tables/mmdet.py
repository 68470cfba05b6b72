"""Tables of mmdet's hosts."""

from attn_plugins.insertion.host_tables.common import (
    BASIC,
    BOTTLE2NECK,
    BOTTLENECK,
    EDGE,
    FPN,
    HRNET,
    NAMED_CONVS,
    OUTPUT,
)
from attn_plugins.insertion.host_tables.finders import where, with_blocks
from attn_plugins.insertion.host_tables.lookup import Location, Stages

DARKNET = {
    'after_conv1': 'after conv1',
    'after_conv2': 'after conv2',
    'after_depthwise': where(
        lambda block: hasattr(block.conv2, 'depthwise_conv'), 'after conv2.depthwise_conv'
    ),
    **OUTPUT,
}

BLOCKS: dict[str, dict[str, Location]] = {
    'mmdet.models.backbones.resnet.BasicBlock': BASIC,
    'mmdet.models.backbones.resnet.Bottleneck': BOTTLENECK,
    'mmdet.models.backbones.res2net.Bottle2neck': BOTTLE2NECK,
    # Its branches are lists of maps.
    'mmdet.models.backbones.trident_resnet.TridentBottleneck': {},
    # A recursive pyramid runs this block not by forward but by another method, inside the loop over its stage.
    'mmdet.models.backbones.detectors_resnet.Bottleneck': {
        position: place for position, place in BOTTLENECK.items() if position not in OUTPUT
    },
    'mmdet.models.layers.csp_layer.DarknetBottleneck': DARKNET,
    'mmdet.models.layers.csp_layer.CSPNeXtBlock': DARKNET,
    'mmdet.models.layers.inverted_residual.InvertedResidual': NAMED_CONVS,
    'mmdet.models.backbones.efficientnet.EdgeResidual': EDGE,
}

_PAFPN = ('top_down_blocks.*', 'bottom_up_blocks.*')

STAGES: dict[str, Stages] = {
    'mmdet.models.backbones.resnet.ResNet': ('layer*',),
    'mmdet.models.backbones.hrnet.HRNet': HRNET,
    'mmdet.models.backbones.csp_darknet.CSPDarknet': ('stage*',),
    'mmdet.models.backbones.cspnext.CSPNeXt': ('stage*',),
    'mmdet.models.backbones.mobilenet_v2.MobileNetV2': ('layer*',),
    'mmdet.models.backbones.efficientnet.EfficientNet': with_blocks('layers'),
    'mmdet.models.backbones.swin.SwinTransformer': ('stages.*',),
    'mmdet.models.backbones.pvt.PyramidVisionTransformer': ('layers.*',),
    'mmdet.models.necks.yolox_pafpn.YOLOXPAFPN': _PAFPN,
    'mmdet.models.necks.cspnext_pafpn.CSPNeXtPAFPN': _PAFPN,
}

LEVELS: dict[str, dict[str, str]] = {
    'mmdet.models.necks.fpn.FPN': FPN,
    'mmdet.models.necks.yolox_pafpn.YOLOXPAFPN': {'fpn_output': 'out_convs.*'},
    'mmdet.models.necks.cspnext_pafpn.CSPNeXtPAFPN': {'fpn_output': 'out_convs.*'},
}
