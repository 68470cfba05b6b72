"""The vocabulary of positions, and where they are in the hosts of OpenMMLab, torchvision and timm.

    Bottleneck        x - conv1 norm1 relu | conv2 norm2 relu | conv3 norm3 | + x, relu |
                                  after_conv1       after_conv2   after_conv3   block_output
    BasicBlock        x - conv1 norm1 relu | conv2 norm2 | + x, relu |
                                  after_conv1   after_conv2   block_output
    InvertedResidual  x - expand | depthwise | (the host's SE) linear | + x |      each with its norm and activation
                      after_expand  after_depthwise        after_linear  block_output
    Sandglass         x - depthwise | reduce, expand | depthwise | + x |
                           after_depthwise   after_expand   after_linear  block_output
    backbone          stem | blocks | blocks | ... | head      each run of blocks with what ends it is a stage
                           stage_output  for each
    FPN               lateral convs | top-down sums, output convs |      one of each per level
                          lateral_output                 fpn_output
    backbone, neck    ... | the maps that its forward hands on, as a tuple or a list
                               level_output

after_conv1, after_conv2 and after_conv3 mean the same as in mmdet's and mmseg's own `plugins=`: the last of them is after
the norm and before the addition, and the host's own SE comes after it. after_linear is after the convolution that ends
a branch without an activation; a Sandglass (attn_plugins.MobileNeXt) has two depthwise convolutions, and the last of them
is that. A block that lacks a position is passed over, and a class in a table stands for itself
and for its subclasses, unless they have an entry of their own.

stage_output and level_output need no table but STAGES: they are after the last module of a stage, where it hands on one
map, and after the host. In a PAFPN, fpn_output is before the bottom-up path; level_output is behind it.
"""

from collections.abc import Callable
from itertools import groupby

from torch import nn

from attn_plugins.insertion.containers import Kept, Plug

POSITIONS = (
    'after_conv1',
    'after_conv2',
    'after_conv3',
    'after_expand',
    'after_depthwise',
    'after_linear',
    'block_output',
    'stage_output',
    'lateral_output',
    'fpn_output',
    'level_output',
)

# 'after PATH' or 'before PATH' from a block, '.' being the block itself, or what finds it in a block.
Place = str | Callable[[nn.Module], str | None]
# Globs over the names of a host's modules, or what lists the modules of each stage.
Stages = tuple[str, ...] | Callable[[nn.Module], list[tuple[str, ...]]]


def declared(module: nn.Module, attribute: str):
    """What the nearest class of a module declares: by an attribute of its own, or in a table; empty if none does.

    Args:
        module (nn.Module): A block, backbone or neck.
        attribute (str): 'attn_positions', 'attn_stages' or 'attn_levels'; what it holds is as in BLOCKS, STAGES, LEVELS.
    """
    table = {'attn_positions': BLOCKS, 'attn_stages': STAGES, 'attn_levels': LEVELS}[attribute]
    for cls in type(module).__mro__:
        if attribute in cls.__dict__:
            return cls.__dict__[attribute]
        if (name := f'{cls.__module__}.{cls.__qualname__}') in table:
            return table[name]
    return {}


def places(block: nn.Module) -> dict[str, str]:
    """Where the positions of a block are: position -> 'after PATH' or 'before PATH'."""
    found = {
        position: place(block) if callable(place) else place
        for position, place in declared(block, 'attn_positions').items()
    }
    return {position: place for position, place in found.items() if place}


def _children(module: nn.Module, path: str = '') -> dict[str, nn.Module]:
    """The modules right under a path, by their names from `module`, as if nothing had been put in."""
    for name in path.split('.') if path else ():
        module = _without_plugs(getattr(module, name))
    prefix = f'{path}.' if path else ''
    return {prefix + name: _without_plugs(child) for name, child in module.named_children()}


def _without_plugs(module: nn.Module) -> nn.Module:
    while isinstance(module, (Plug, Kept)):
        module = module.wrapped
    return module


def _where(holds: Callable[[nn.Module], bool], place: str) -> Place:
    """A place that only the blocks have for which a condition holds."""
    return lambda block: place if holds(block) else None


def _if_there(name: str) -> Place:
    return _where(lambda block: hasattr(block, name), f'after {name}')


def _child(path: str, index: int, kind: type = nn.Module, least: int = 0) -> Place:
    """After one of the children of a Sequential that are of a kind, where there are that many and `least`."""

    def place(block: nn.Module) -> str | None:
        names = [name for name, child in _children(block, path).items() if isinstance(child, kind)]
        enough = max(least, index + 1, -index)
        return f'after {names[index]}' if len(names) >= enough else None

    return place


_OUTPUT = {'block_output': 'after .'}
# The hosts of a family share one ReLU in a block: after it is before the next convolution.
_BASIC = {'after_conv1': 'before conv2', 'after_conv2': 'after norm2', **_OUTPUT}
_BASIC_BN = {**_BASIC, 'after_conv2': 'after bn2'}
_BOTTLENECK = {
    'after_conv1': 'before conv2',
    'after_conv2': 'before conv3',
    'after_conv3': 'after norm3',
    **_OUTPUT,
}
_BOTTLENECK_BN = {**_BOTTLENECK, 'after_conv3': 'after bn3'}
# The shared ReLU stands between the first norm and a split: there is no module to stand at.
_BOTTLE2NECK = {'after_conv2': 'before conv3', 'after_conv3': 'after norm3', **_OUTPUT}
_DARKNET = {
    'after_conv1': 'after conv1',
    'after_conv2': 'after conv2',
    'after_depthwise': _where(
        lambda block: hasattr(block.conv2, 'depthwise_conv'), 'after conv2.depthwise_conv'
    ),
    **_OUTPUT,
}
_NAMED_CONVS = {
    'after_expand': _if_there('expand_conv'),
    'after_depthwise': 'after depthwise_conv',
    'after_linear': 'after linear_conv',
    **_OUTPUT,
}
_CONVS = {
    'after_expand': _child('conv', -3),
    'after_depthwise': 'after conv.-2',
    'after_linear': 'after conv.-1',
    **_OUTPUT,
}
_EDGE = {'after_expand': 'after conv1', 'after_linear': 'after conv2', **_OUTPUT}
# torchvision's units of convolution, norm and activation are Sequentials, the SE between them is not.
_UNITS = {
    'after_expand': _child('block', -3, nn.Sequential),
    'after_depthwise': _child('block', -2, nn.Sequential),
    'after_linear': _child('block', -1, nn.Sequential),
    **_OUTPUT,
}

# Class of a block -> position -> place.
BLOCKS: dict[str, dict[str, Place]] = {
    'mmdet.models.backbones.resnet.BasicBlock': _BASIC,
    'mmdet.models.backbones.resnet.Bottleneck': _BOTTLENECK,
    'mmdet.models.backbones.res2net.Bottle2neck': _BOTTLE2NECK,
    # Its branches are lists of maps.
    'mmdet.models.backbones.trident_resnet.TridentBottleneck': {},
    # A recursive pyramid runs it by another method than forward, from inside the loop over its stage.
    'mmdet.models.backbones.detectors_resnet.Bottleneck': {
        position: place for position, place in _BOTTLENECK.items() if position not in _OUTPUT
    },
    'mmdet.models.layers.csp_layer.DarknetBottleneck': _DARKNET,
    'mmdet.models.layers.csp_layer.CSPNeXtBlock': _DARKNET,
    'mmdet.models.layers.inverted_residual.InvertedResidual': _NAMED_CONVS,
    'mmdet.models.backbones.efficientnet.EdgeResidual': _EDGE,
    'mmseg.models.backbones.resnet.BasicBlock': _BASIC,
    'mmseg.models.backbones.resnet.Bottleneck': _BOTTLENECK,
    'mmseg.models.utils.inverted_residual.InvertedResidual': _CONVS,
    'mmseg.models.utils.inverted_residual.InvertedResidualV3': _NAMED_CONVS,
    # PIDNet's and DDRNet's: norm and activation are inside the convolutions.
    'mmseg.models.utils.basic_block.BasicBlock': {
        'after_conv1': 'after conv1',
        'after_conv2': 'after conv2',
        **_OUTPUT,
    },
    'mmseg.models.utils.basic_block.Bottleneck': {
        'after_conv1': 'after conv1',
        'after_conv2': 'after conv2',
        'after_conv3': 'after conv3',
        **_OUTPUT,
    },
    'mmseg.models.backbones.unet.BasicConvBlock': {
        'after_conv1': _child('convs', 0),
        'after_conv2': _child('convs', 1),
        'after_conv3': _child('convs', 2),
        **_OUTPUT,
    },
    # Its depthwise convolution is what expands.
    'mmseg.models.backbones.bisenetv2.GELayer': {
        'after_depthwise': 'after dwconv',
        'after_linear': 'after conv2',
        **_OUTPUT,
    },
    'mmseg.models.backbones.stdc.STDCModule': _OUTPUT,
    'mmpretrain.models.backbones.resnet.BasicBlock': _BASIC,
    'mmpretrain.models.backbones.resnet.Bottleneck': _BOTTLENECK,
    'mmpretrain.models.backbones.res2net.Bottle2neck': _BOTTLE2NECK,
    'mmpretrain.models.backbones.mobilenet_v2.InvertedResidual': _CONVS,
    'mmpretrain.models.utils.inverted_residual.InvertedResidual': _NAMED_CONVS,
    'mmpretrain.models.backbones.efficientnet.EdgeResidual': _EDGE,
    'mmpretrain.models.backbones.efficientnet_v2.EnhancedConvModule': _OUTPUT,
    'mmpretrain.models.backbones.shufflenet_v1.ShuffleUnit': {
        'after_depthwise': 'after depthwise_conv3x3_bn',
        'after_linear': 'after g_conv_1x1_expand',
        **_OUTPUT,
    },
    'mmpretrain.models.backbones.shufflenet_v2.InvertedResidual': {
        'after_depthwise': 'after branch2.1',
        **_OUTPUT,
    },
    'mmpretrain.models.backbones.convnext.ConvNeXtBlock': _OUTPUT,
    'mmpretrain.models.backbones.repvgg.RepVGGBlock': _OUTPUT,
    # Depthwise and pointwise blocks take turns; the host's own SE comes before their activation.
    'mmpretrain.models.backbones.mobileone.MobileOneBlock': {
        'after_depthwise': _where(lambda block: block.groups > 1 and block.se_cfg is None, 'after .'),
        **_OUTPUT,
    },
    # The norm of a convolution stands before the next one.
    'mmpretrain.models.backbones.densenet.DenseLayer': {'after_conv1': 'before conv2'},
    'mmpretrain.models.backbones.densenet.DenseBlock': _OUTPUT,
    'torchvision.models.resnet.BasicBlock': _BASIC_BN,
    'torchvision.models.resnet.Bottleneck': _BOTTLENECK_BN,
    'torchvision.models.mobilenetv2.InvertedResidual': {
        'after_expand': _child('conv', -4),
        'after_depthwise': 'after conv.-3',
        'after_linear': 'after conv.-1',
        **_OUTPUT,
    },
    'torchvision.models.mobilenetv3.InvertedResidual': _UNITS,
    'torchvision.models.efficientnet.MBConv': _UNITS,
    # Without expansion it is one convolution with its activation.
    'torchvision.models.efficientnet.FusedMBConv': {
        'after_expand': _child('block', -2),
        'after_linear': _child('block', -1, least=2),
        **_OUTPUT,
    },
    'torchvision.models.shufflenetv2.InvertedResidual': {'after_depthwise': 'after branch2.4', **_OUTPUT},
    'torchvision.models.convnext.CNBlock': _OUTPUT,
    'timm.models.resnet.BasicBlock': _BASIC_BN,
    'timm.models.resnet.Bottleneck': _BOTTLENECK_BN,
    # timm's norms hold their activation.
    'timm.models._efficientnet_blocks.InvertedResidual': {
        'after_expand': 'after bn1',
        'after_depthwise': 'after bn2',
        'after_linear': 'after bn3',
        **_OUTPUT,
    },
    'timm.models._efficientnet_blocks.DepthwiseSeparableConv': {
        'after_depthwise': 'after bn1',
        'after_linear': _where(lambda block: not block.has_pw_act, 'after bn2'),
        **_OUTPUT,
    },
    'timm.models._efficientnet_blocks.EdgeResidual': {
        'after_expand': 'after bn1',
        'after_linear': 'after bn2',
        **_OUTPUT,
    },
    'timm.models._efficientnet_blocks.ConvBnAct': _OUTPUT,
    # MobileNetV4's; some have no depthwise convolution between expansion and projection.
    'timm.models._efficientnet_blocks.UniversalInvertedResidual': {
        'after_expand': 'after pw_exp',
        'after_depthwise': _where(
            lambda block: not isinstance(_without_plugs(block.dw_mid), nn.Identity), 'after dw_mid'
        ),
        'after_linear': 'after pw_proj',
        **_OUTPUT,
    },
    'timm.models._efficientnet_blocks.MobileAttention': _OUTPUT,
    'timm.models.convnext.ConvNeXtBlock': _OUTPUT,
}


def _with_blocks(path: str) -> Stages:
    """Each module under a path that holds blocks."""
    return lambda host: [
        (name,)
        for name, module in _children(host, path).items()
        if any(places(child) for child in _children(module).values())
    ]


def _runs(path: str) -> Stages:
    """The runs of blocks under a path whose outputs have equal channels."""

    def channels(block: tuple[str, nn.Module]) -> int:
        return getattr(block[1], 'out_channels', None) or block[1].linear_conv.out_channels

    def stages(host: nn.Module) -> list[tuple[str, ...]]:
        blocks = [(name, module) for name, module in _children(host, path).items() if places(module)]
        return [tuple(name for name, _ in run) for _, run in groupby(blocks, key=channels)]

    return stages


def _up_to_pools(path: str) -> Stages:
    """The modules under a path, each pooling the last of its stage."""

    def stages(host: nn.Module) -> list[tuple[str, ...]]:
        runs = [[]]
        for name, module in _children(host, path).items():
            runs[-1].append(name)
            if isinstance(module, nn.MaxPool2d):
                runs.append([])
        return [tuple(run) for run in runs if run]

    return stages


def _encoder_decoder(host: nn.Module) -> list[tuple[str, ...]]:
    """In the order in which they run: the decoder's first module is its last."""
    return [(name,) for name in [*_children(host, 'encoder'), *reversed(_children(host, 'decoder'))]]


def _detail_and_semantic(host: nn.Module) -> list[tuple[str, ...]]:
    """The semantic branch begins with its stem and ends with what embeds the context."""
    semantic = [f'semantic.{name}' for name in host.semantic.semantic_stages[1:-1]]
    return [(name,) for name in [*_children(host, 'detail.detail_branch'), *semantic]]


def _after_shallow(host: nn.Module) -> list[tuple[str, ...]]:
    return [(name,) for name in list(_children(host, 'stages'))[host.num_shallow_features :]]


def _with_transitions(host: nn.Module) -> list[tuple[str, ...]]:
    return [(f'stages.{i}', f'transitions.{i}') for i in range(host.num_stages)]


def _without_final_conv(host: nn.Module) -> list[tuple[str, ...]]:
    """The last of timm's blocks is MobileNetV3's final 1x1 convolution, and MobileNetV2's is a stage."""
    *names, last = _children(host, 'blocks')
    convs = [getattr(block, 'conv', None) for block in _children(host, last).values()]
    final = all(getattr(conv, 'kernel_size', None) == (1, 1) for conv in convs)
    return [(name,) for name in (names if final else [*names, last])]


_HRNET = ('layer1', 'stage*')
# The stem holds the first two stages; later each branch has its own.
_PIDNET = ('stem.2', 'stem.4', 'i_branch_layers.*', 'p_branch_layers.*', 'd_branch_layers.*')
_DDRNET = ('stem.2', 'stem.4', 'context_branch_layers.*', 'spatial_branch_layers.*')
_PAFPN = ('top_down_blocks.*', 'bottom_up_blocks.*')

# Class of a host -> its stages.
STAGES: dict[str, Stages] = {
    'mmdet.models.backbones.resnet.ResNet': ('layer*',),
    'mmdet.models.backbones.hrnet.HRNet': _HRNET,
    'mmdet.models.backbones.csp_darknet.CSPDarknet': ('stage*',),
    'mmdet.models.backbones.cspnext.CSPNeXt': ('stage*',),
    'mmdet.models.backbones.mobilenet_v2.MobileNetV2': ('layer*',),
    'mmdet.models.backbones.efficientnet.EfficientNet': _with_blocks('layers'),
    'mmdet.models.backbones.swin.SwinTransformer': ('stages.*',),
    'mmdet.models.backbones.pvt.PyramidVisionTransformer': ('layers.*',),
    'mmdet.models.necks.yolox_pafpn.YOLOXPAFPN': _PAFPN,
    'mmdet.models.necks.cspnext_pafpn.CSPNeXtPAFPN': _PAFPN,
    'mmseg.models.backbones.resnet.ResNet': ('layer*',),
    'mmseg.models.backbones.hrnet.HRNet': _HRNET,
    'mmseg.models.backbones.mobilenet_v2.MobileNetV2': ('layer*',),
    'mmseg.models.backbones.mobilenet_v3.MobileNetV3': _runs(''),
    'mmseg.models.backbones.unet.UNet': _encoder_decoder,
    'mmseg.models.backbones.bisenetv2.BiSeNetV2': _detail_and_semantic,
    'mmseg.models.backbones.stdc.STDCNet': _after_shallow,
    'mmseg.models.backbones.mit.MixVisionTransformer': ('layers.*',),
    'mmseg.models.backbones.swin.SwinTransformer': ('stages.*',),
    'mmseg.models.backbones.pidnet.PIDNet': _PIDNET,
    'mmseg.models.backbones.ddrnet.DDRNet': _DDRNET,
    'mmpretrain.models.backbones.resnet.ResNet': ('layer*',),
    'mmpretrain.models.backbones.hrnet.HRNet': _HRNET,
    'mmpretrain.models.backbones.mobilenet_v2.MobileNetV2': ('layer*',),
    'mmpretrain.models.backbones.mobilenet_v3.MobileNetV3': _runs(''),
    'mmpretrain.models.backbones.efficientnet.EfficientNet': _with_blocks('layers'),
    'mmpretrain.models.backbones.efficientnet_v2.EfficientNetV2': _with_blocks('layers'),
    'mmpretrain.models.backbones.shufflenet_v1.ShuffleNetV1': ('layers.*',),
    'mmpretrain.models.backbones.shufflenet_v2.ShuffleNetV2': _with_blocks('layers'),
    'mmpretrain.models.backbones.convnext.ConvNeXt': ('stages.*',),
    'mmpretrain.models.backbones.swin_transformer.SwinTransformer': ('stages.*',),
    'mmpretrain.models.backbones.vgg.VGG': _up_to_pools('features'),
    'mmpretrain.models.backbones.repvgg.RepVGG': ('stage_*',),
    'mmpretrain.models.backbones.mobileone.MobileOne': ('stage1', 'stage2', 'stage3', 'stage4'),
    'mmpretrain.models.backbones.densenet.DenseNet': _with_transitions,
    'torchvision.models.resnet.ResNet': ('layer*',),
    'torchvision.models.mobilenetv2.MobileNetV2': _runs('features'),
    'torchvision.models.mobilenetv3.MobileNetV3': _runs('features'),
    'torchvision.models.efficientnet.EfficientNet': _with_blocks('features'),
    'torchvision.models.shufflenetv2.ShuffleNetV2': ('stage*',),
    'torchvision.models.vgg.VGG': _up_to_pools('features'),
    'torchvision.models.convnext.ConvNeXt': _with_blocks('features'),
    'timm.models.resnet.ResNet': ('layer*',),
    'timm.models.efficientnet.EfficientNet': _without_final_conv,
    'timm.models.efficientnet.EfficientNetFeatures': _without_final_conv,
    'timm.models.mobilenetv3.MobileNetV3': _without_final_conv,
    'timm.models.mobilenetv3.MobileNetV3Features': _without_final_conv,
    'timm.models.convnext.ConvNeXt': ('stages.*',),
}

_FPN = {'lateral_output': 'lateral_convs.*', 'fpn_output': 'fpn_convs.*'}

# Class of a neck -> position -> glob of its modules, one per level.
LEVELS: dict[str, dict[str, str]] = {
    'mmdet.models.necks.fpn.FPN': _FPN,
    'mmdet.models.necks.yolox_pafpn.YOLOXPAFPN': {'fpn_output': 'out_convs.*'},
    'mmdet.models.necks.cspnext_pafpn.CSPNeXtPAFPN': {'fpn_output': 'out_convs.*'},
    'mmseg.models.necks.fpn.FPN': _FPN,
}
