"""Tables of mmseg's hosts."""

from torch import nn

from attn_plugins.insertion.host_tables.common import (
    BASIC,
    BOTTLENECK,
    CONVS,
    FPN,
    HRNET,
    NAMED_CONVS,
    OUTPUT,
)
from attn_plugins.insertion.host_tables.finders import (
    child,
    children,
    runs,
)
from attn_plugins.insertion.host_tables.lookup import Location, Stages

BLOCKS: dict[str, dict[str, Location]] = {
    'mmseg.models.backbones.resnet.BasicBlock': BASIC,
    'mmseg.models.backbones.resnet.Bottleneck': BOTTLENECK,
    'mmseg.models.utils.inverted_residual.InvertedResidual': CONVS,
    'mmseg.models.utils.inverted_residual.InvertedResidualV3': NAMED_CONVS,
    # PIDNet's and DDRNet's: norm and activation are inside the convolutions.
    'mmseg.models.utils.basic_block.BasicBlock': {
        'after_conv1': 'after conv1',
        'after_conv2': 'after conv2',
        **OUTPUT,
    },
    'mmseg.models.utils.basic_block.Bottleneck': {
        'after_conv1': 'after conv1',
        'after_conv2': 'after conv2',
        'after_conv3': 'after conv3',
        **OUTPUT,
    },
    'mmseg.models.backbones.unet.BasicConvBlock': {
        'after_conv1': child('convs', 0),
        'after_conv2': child('convs', 1),
        'after_conv3': child('convs', 2),
        **OUTPUT,
    },
    # Its depthwise convolution does the expansion.
    'mmseg.models.backbones.bisenetv2.GELayer': {
        'after_depthwise': 'after dwconv',
        'after_linear': 'after conv2',
        **OUTPUT,
    },
    'mmseg.models.backbones.stdc.STDCModule': OUTPUT,
}


def _encoder_decoder(host: nn.Module) -> list[tuple[str, ...]]:
    """Lists the stages in the order in which they run: the decoder's first module runs last."""
    return [(name,) for name in [*children(host, 'encoder'), *reversed(children(host, 'decoder'))]]


def _detail_and_semantic(host: nn.Module) -> list[tuple[str, ...]]:
    """Lists the stages of both branches; the semantic one without its stem and the context embedding at its end."""
    semantic = [f'semantic.{name}' for name in host.semantic.semantic_stages[1:-1]]
    return [(name,) for name in [*children(host, 'detail.detail_branch'), *semantic]]


def _after_shallow(host: nn.Module) -> list[tuple[str, ...]]:
    return [(name,) for name in list(children(host, 'stages'))[host.num_shallow_features :]]


# The stem holds the first two stages; later each branch has its own.
_PIDNET = ('stem.2', 'stem.4', 'i_branch_layers.*', 'p_branch_layers.*', 'd_branch_layers.*')
_DDRNET = ('stem.2', 'stem.4', 'context_branch_layers.*', 'spatial_branch_layers.*')

STAGES: dict[str, Stages] = {
    'mmseg.models.backbones.resnet.ResNet': ('layer*',),
    'mmseg.models.backbones.hrnet.HRNet': HRNET,
    'mmseg.models.backbones.mobilenet_v2.MobileNetV2': ('layer*',),
    'mmseg.models.backbones.mobilenet_v3.MobileNetV3': runs(''),
    'mmseg.models.backbones.unet.UNet': _encoder_decoder,
    'mmseg.models.backbones.bisenetv2.BiSeNetV2': _detail_and_semantic,
    'mmseg.models.backbones.stdc.STDCNet': _after_shallow,
    'mmseg.models.backbones.mit.MixVisionTransformer': ('layers.*',),
    'mmseg.models.backbones.swin.SwinTransformer': ('stages.*',),
    'mmseg.models.backbones.pidnet.PIDNet': _PIDNET,
    'mmseg.models.backbones.ddrnet.DDRNet': _DDRNET,
}

LEVELS: dict[str, dict[str, str]] = {
    'mmseg.models.necks.fpn.FPN': FPN,
}
