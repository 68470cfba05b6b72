"""Modules of timm, mmcv and mmpretrain that compute a layer's function, and the options with which they do.

Each library is imported where its module is built, so none is needed to count or measure the others.
"""

from torch import nn

from benchmarks.layers.references.reference import OPENMMLAB, TIMM, Reference


def _timm_se(layer: nn.Module) -> nn.Module:
    from timm.layers import SEModule

    return SEModule(layer.in_channels, rd_channels=layer.excitation.fc1.out_features)


def _timm_eca(layer: nn.Module) -> nn.Module:
    from timm.layers import EcaModule

    return EcaModule(kernel_size=layer.excitation.conv.kernel_size[0])


def _timm_ge(layer: nn.Module) -> nn.Module:
    from timm.layers import GatherExcite

    return GatherExcite(layer.in_channels, use_mlp=False)


def _timm_gc(layer: nn.Module) -> nn.Module:
    from timm.layers import GlobalContext

    rival = GlobalContext(
        layer.in_channels, fuse_add=True, fuse_scale=False, rd_channels=layer.add.fc1.out_features
    )
    rival.mlp_add.norm.eps = layer.add.norm.eps  # timm's own is 1e-6
    return rival


def _timm_cbam(layer: nn.Module) -> nn.Module:
    from timm.layers.cbam import CbamModule

    return CbamModule(
        layer.in_channels,
        rd_channels=layer.channel.excitation.fc1.out_features,
        spatial_kernel_size=layer.spatial.conv.kernel_size[0],
        mlp_bias=True,
    )


def _timm_coord_attention(layer: nn.Module) -> nn.Module:
    from timm.layers.coord_attn import CoordAttn

    return CoordAttn(layer.in_channels, rd_channels=layer.conv1.out_channels, bias=True)


def _mmpretrain_se(layer: nn.Module) -> nn.Module:
    from mmpretrain.models.utils import SELayer

    return SELayer(layer.in_channels, squeeze_channels=layer.excitation.fc1.out_features)


def _mmcv_gc(layer: nn.Module) -> nn.Module:
    from mmcv.cnn import ContextBlock

    return ContextBlock(layer.in_channels, layer.add.fc1.out_features / layer.in_channels)


def _mmcv_non_local(layer: nn.Module) -> nn.Module:
    from mmcv.cnn import NonLocal2d

    return NonLocal2d(layer.in_channels, reduction=layer.in_channels // layer.g.out_channels)


def _mmcv_generalized(layer: nn.Module) -> nn.Module:
    from mmcv.cnn import GeneralizedAttention

    return GeneralizedAttention(
        layer.in_channels,
        num_heads=layer.num_heads,
        kv_stride=layer.kv_stride,
        attention_type=layer.attention_type,
    )


def _mmcv_criss_cross(layer: nn.Module) -> nn.Module:
    from mmcv.ops import CrissCrossAttention

    return CrissCrossAttention(layer.in_channels)


_CONTEXT = {
    'conv_mask': 'mask',
    'channel_add_conv.0': 'add.fc1',
    'channel_add_conv.1': 'add.norm',
    'channel_add_conv.3': 'add.fc2',
}
_CBAM = {
    'channel.fc1': 'channel.excitation.fc1',
    'channel.fc2': 'channel.excitation.fc2',
    'spatial.conv.conv': 'spatial.conv',
    'spatial.conv.bn': 'spatial.norm',
}
_COORD = {'conv1': 'conv1', 'bn1': 'norm', 'conv_h': 'conv_h', 'conv_w': 'conv_w'}
_TIMM_CONTEXT = {
    'conv_attn': 'mask',
    'mlp_add.fc1': 'add.fc1',
    'mlp_add.norm': 'add.norm',
    'mlp_add.fc2': 'add.fc2',
}
_GENERALIZED = (
    'query_conv',
    'key_conv',
    'value_conv',
    'proj_conv',
    'appr_geom_fc_x',
    'appr_geom_fc_y',
    'appr_bias',
    'geom_bias',
    'gamma',
)

LIBRARIES = {
    'SE': [
        Reference(TIMM, _timm_se, {'fc1': 'excitation.fc1', 'fc2': 'excitation.fc2'}),
        Reference(
            OPENMMLAB, _mmpretrain_se, {'conv1.conv': 'excitation.fc1', 'conv2.conv': 'excitation.fc2'}
        ),
    ],
    'ECA': [Reference(TIMM, _timm_eca, {'conv': 'excitation.conv'})],
    'GE': [Reference(TIMM, _timm_ge)],
    'GC': [Reference(TIMM, _timm_gc, _TIMM_CONTEXT), Reference(OPENMMLAB, _mmcv_gc, _CONTEXT)],
    # timm stacks the mean first and the maximum second.
    'CBAM': [Reference(TIMM, _timm_cbam, _CBAM, {'spatial.conv.conv.weight': lambda weight: weight.flip(1)})],
    'CoordAttention': [Reference(TIMM, _timm_coord_attention, _COORD)],
    'NonLocal': [
        Reference(
            OPENMMLAB,
            _mmcv_non_local,
            {f'{name}.conv': name for name in ('g', 'theta', 'phi', 'conv_out')},
        )
    ],
    'GeneralizedAttention': [Reference(OPENMMLAB, _mmcv_generalized, {name: name for name in _GENERALIZED})],
    'CrissCross': [
        Reference(
            OPENMMLAB,
            _mmcv_criss_cross,
            {'query_conv': 'query', 'key_conv': 'key', 'value_conv': 'value', 'gamma.scale': 'gamma'},
        )
    ],
}
