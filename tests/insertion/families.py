"""A small instance of every family of hosts that the table of positions covers, and how many places each has.

The counts are of the blocks that stand in a stage. Where a host cannot have a position, its reason stands instead.
"""

from collections.abc import Callable
from typing import NamedTuple

import timm
import torch
from mmdet.registry import MODELS as MMDET  # noqa: F401  the scopes must be known
from mmengine.registry import MODELS
from mmpretrain.registry import MODELS as MMPRETRAIN  # noqa: F401
from mmseg.registry import MODELS as MMSEG  # noqa: F401
from torch import nn
from torchvision import models

from attn_plugins.insertion.host_tables import POSITIONS


class Family(NamedTuple):
    """One host.

    Attributes:
        build: Its config, or what builds it.
        inputs: The size of its images, or the shapes of the maps that a neck takes.
        stages: How many stages it has.
        places: position -> how many places there are in all stages, or why there are none.
    """

    build: dict | Callable[[], nn.Module]
    inputs: int | list[tuple[int, ...]]
    stages: int
    places: dict[str, int | str]

    def host(self) -> nn.Module:
        """The host in evaluation mode, as its library builds it."""
        host = MODELS.build(dict(self.build)) if isinstance(self.build, dict) else self.build()
        # OpenMMLab's own train() returns nothing, and so does eval().
        host.eval()
        return host

    def example(self) -> torch.Tensor | list[torch.Tensor]:
        """A random input."""
        if isinstance(self.inputs, int):
            return torch.randn(1, 3, self.inputs, self.inputs)
        return [torch.randn(shape) for shape in self.inputs]


RESIDUAL = 'its blocks are no inverted residuals'
INVERTED = 'its blocks are inverted residuals'
TWO_CONVS = 'its blocks have no third convolution'
SPLIT = 'a ReLU that the block shares and a split stand there, and no module'
TOKENS = 'hands on tokens, not maps'
PLAIN = 'has no blocks'
ONE_STEP = 'its blocks have no step between their convolutions where all branches are one map'
CHANNELS_LAST = 'its blocks have the channels last between their convolutions'
LISTS = 'its later stages hand on lists of maps'
SCORES = 'hands on class scores'
ONE_MAP = 'hands on one map in evaluation and a tuple only in training'
BACKBONE = 'a backbone has no levels of a pyramid'
NECK = 'a neck has no stages'
NO_BLOCKS = 'a neck of convolutions has no blocks'


def backbone(build, stages: int, why: str, size: int = 64, **places: int | str) -> Family:
    """A backbone; `why` is the reason for the positions of blocks that are not given."""
    common = dict.fromkeys(POSITIONS, why)
    common |= dict(stage_output=stages, level_output=SCORES, lateral_output=BACKBONE, fpn_output=BACKBONE)
    return Family(build, size, stages, common | places)


def bottlenecks(
    build, blocks: int, *, last: int | None = None, stages: int = 4, **places: int | str
) -> Family:
    """A backbone of bottlenecks, the last `last` of which have a third convolution."""
    third = blocks if last is None else last
    convs = dict(after_conv1=blocks, after_conv2=blocks, after_conv3=third, block_output=blocks)
    return backbone(build, stages, RESIDUAL, **{**convs, **places})


def basic_blocks(build, blocks: int, *, stages: int = 4, **places: int | str) -> Family:
    """A backbone of blocks with two convolutions."""
    return bottlenecks(build, blocks, stages=stages, **{'after_conv3': TWO_CONVS, **places})


def inverted(build, blocks: int, expand: int, *, stages: int, **places: int | str) -> Family:
    """A backbone of inverted residuals, `expand` of which have an expansion."""
    convs = dict(after_expand=expand, after_depthwise=blocks, after_linear=blocks, block_output=blocks)
    return backbone(build, stages, INVERTED, **{**convs, **places})


def transformer(build, stages: int = 4, levels: int = 4) -> Family:
    return backbone(build, stages, TOKENS, stage_output=TOKENS, level_output=levels)


def neck(build, levels: int, why: str = NO_BLOCKS, stages: int = 0, **places: int | str) -> Family:
    """A neck on three maps."""
    inputs = [(1, channels, size, size) for channels, size in ((8, 16), (16, 8), (24, 4))]
    common = dict.fromkeys(POSITIONS, why)
    common |= dict(stage_output=stages or NECK, level_output=levels)
    return Family(dict(build, in_channels=[8, 16, 24], out_channels=8), inputs, stages, common | places)


def _vgg() -> nn.Module:
    """torchvision's classifier alone has 120 million weights: they are never made."""
    with torch.device('meta'):
        host = models.VGG(
            models.vgg.make_layers([8, 'M', 16, 16, 'M', 24, 'M'], batch_norm=True), init_weights=False
        )
    host.classifier = nn.Identity()
    host.to_empty(device='cpu')
    for module in host.features:
        if hasattr(module, 'reset_parameters'):
            module.reset_parameters()
    return host


def _efficientnet(*stages) -> nn.Module:
    return models.EfficientNet(list(stages), dropout=0.0, last_channel=32, num_classes=4)


_mb, _fused = models.efficientnet.MBConvConfig, models.efficientnet.FusedMBConvConfig
_cn = models.convnext.CNBlockConfig

NARROW = dict(base_channels=8, stem_channels=8)
REGNET = dict(w0=8, wa=8, wm=2, group_w=8, depth=7, bot_mul=1.0)
HEADS = dict(embed_dims=8, num_layers=[1, 1, 1, 1])
HRNET = {
    f'stage{i + 1}': dict(
        num_modules=1,
        num_branches=i + 1,
        block='BASIC' if i else 'BOTTLENECK',
        num_blocks=(1,) * (i + 1) if i else (2,),
        num_channels=(8, 16, 24, 32)[: i + 1],
    )
    for i in range(4)
}
NORM_ACT = dict(norm_cfg=dict(type='BN'), act_cfg=dict(type='ReLU'))

FAMILIES = {
    'mmdet ResNet-18': basic_blocks(dict(type='mmdet.ResNet', depth=18, **NARROW), 8, level_output=4),
    'mmdet ResNet-50': bottlenecks(dict(type='mmdet.ResNet', depth=50, **NARROW), 16, level_output=4),
    'mmdet ResNetV1d': bottlenecks(dict(type='mmdet.ResNetV1d', depth=50, **NARROW), 16, level_output=4),
    'mmdet ResNeXt': bottlenecks(
        dict(type='mmdet.ResNeXt', depth=50, groups=2, base_width=4, **NARROW), 16, level_output=4
    ),
    'mmdet Res2Net': bottlenecks(
        dict(type='mmdet.Res2Net', depth=50, scales=4, base_width=4, base_channels=16, stem_channels=16),
        16,
        after_conv1=SPLIT,
        level_output=4,
    ),
    'mmdet RegNet': bottlenecks(dict(type='mmdet.RegNet', arch=REGNET, base_channels=8), 7, level_output=4),
    'mmdet HRNet': bottlenecks(
        dict(type='mmdet.HRNet', extra=HRNET), 11, last=2, stage_output=LISTS, level_output=4
    ),
    'mmdet CSPDarknet': basic_blocks(
        dict(type='mmdet.CSPDarknet', deepen_factor=0.33, widen_factor=0.125), 8, level_output=3
    ),
    'mmdet CSPDarknet depthwise': basic_blocks(
        dict(type='mmdet.CSPDarknet', deepen_factor=0.33, widen_factor=0.125, use_depthwise=True),
        8,
        after_depthwise=8,
        level_output=3,
    ),
    'mmdet CSPNeXt': basic_blocks(
        dict(type='mmdet.CSPNeXt', deepen_factor=0.33, widen_factor=0.125),
        6,
        after_depthwise=6,
        level_output=3,
    ),
    'mmdet MobileNetV2': inverted(
        dict(type='mmdet.MobileNetV2', widen_factor=0.25), 17, 16, stages=7, level_output=4
    ),
    'mmdet EfficientNet': inverted(
        dict(type='mmdet.EfficientNet', arch='b0', out_indices=(2, 3, 4, 5)),
        16,
        15,
        stages=5,
        size=32,
        level_output=4,
    ),
    'mmdet Swin': transformer(
        dict(
            type='mmdet.SwinTransformer',
            embed_dims=8,
            depths=(1, 1, 1, 1),
            num_heads=(1, 1, 2, 2),
            window_size=2,
        )
    ),
    'mmdet PVT': transformer(dict(type='mmdet.PyramidVisionTransformer', **HEADS)),
    'mmdet PVTv2': transformer(dict(type='mmdet.PyramidVisionTransformerV2', **HEADS)),
    'mmdet FPN': neck(dict(type='mmdet.FPN', num_outs=4), 4, lateral_output=3, fpn_output=3),
    'mmdet FPN extra': neck(
        dict(type='mmdet.FPN', num_outs=5, add_extra_convs='on_output'), 5, lateral_output=3, fpn_output=5
    ),
    'mmdet PAFPN': neck(dict(type='mmdet.PAFPN', num_outs=3), 3, lateral_output=3, fpn_output=3),
    'mmdet YOLOXPAFPN': neck(
        dict(type='mmdet.YOLOXPAFPN', num_csp_blocks=1),
        3,
        RESIDUAL,
        stages=4,
        after_conv1=4,
        after_conv2=4,
        after_conv3=TWO_CONVS,
        block_output=4,
        lateral_output='its 1x1 convolutions stand in the top-down path, one less than levels',
        fpn_output=3,
    ),
    'mmdet CSPNeXtPAFPN': neck(
        dict(type='mmdet.CSPNeXtPAFPN', num_csp_blocks=1),
        3,
        RESIDUAL,
        stages=4,
        after_conv1=4,
        after_conv2=4,
        after_conv3=TWO_CONVS,
        after_depthwise=4,
        block_output=4,
        lateral_output='its 1x1 convolutions stand in the top-down path, one less than levels',
        fpn_output=3,
    ),
    'mmseg ResNetV1c': bottlenecks(dict(type='mmseg.ResNetV1c', depth=50, **NARROW), 16, level_output=4),
    'mmseg ResNetV1d': basic_blocks(dict(type='mmseg.ResNetV1d', depth=18, **NARROW), 8, level_output=4),
    'mmseg ResNeXt': bottlenecks(
        dict(type='mmseg.ResNeXt', depth=50, groups=2, base_width=4, **NARROW), 16, level_output=4
    ),
    'mmseg MobileNetV2': inverted(
        dict(type='mmseg.MobileNetV2', widen_factor=0.25), 17, 16, stages=7, level_output=4
    ),
    'mmseg MobileNetV3': inverted(
        dict(type='mmseg.MobileNetV3', arch='small'), 11, 10, stages=5, level_output=3
    ),
    'mmseg UNet': basic_blocks(
        dict(type='mmseg.UNet', base_channels=4, upsample_cfg=dict(type='mmseg.InterpConv')),
        9,
        stages=9,
        level_output=5,
    ),
    'mmseg BiSeNetV2': inverted(
        dict(
            type='mmseg.BiSeNetV2',
            detail_channels=(8, 8, 16),
            semantic_channels=(8, 8, 16, 16),
            bga_channels=16,
        ),
        8,
        0,
        stages=6,
        after_expand='its depthwise convolution is what expands',
        level_output=5,
    ),
    'mmseg STDC': backbone(
        dict(
            type='mmseg.STDCNet',
            stdc_type='STDCNet1',
            in_channels=3,
            channels=(8, 8, 16, 32, 64),
            bottleneck_type='cat',
            **NORM_ACT,
        ),
        3,
        'its blocks concatenate what each of their convolutions hands on',
        block_output=6,
        level_output=3,
    ),
    'mmseg MixVisionTransformer': transformer(dict(type='mmseg.MixVisionTransformer', **HEADS)),
    'mmseg PIDNet': bottlenecks(
        dict(type='mmseg.PIDNet', channels=8, ppm_channels=8, num_stem_blocks=2, num_branch_blocks=2),
        18,
        last=5,
        stages=11,
        level_output=ONE_MAP,
    ),
    'mmseg DDRNet': bottlenecks(
        dict(type='mmseg.DDRNet', channels=8, ppm_channels=8), 14, last=2, stages=8, level_output=ONE_MAP
    ),
    'mmpretrain ResNet-18': basic_blocks(
        dict(type='mmpretrain.ResNet', depth=18, **NARROW), 8, level_output=1
    ),
    'mmpretrain ResNet-50': bottlenecks(
        dict(type='mmpretrain.ResNet', depth=50, **NARROW), 16, level_output=1
    ),
    'mmpretrain ResNetV1c': bottlenecks(
        dict(type='mmpretrain.ResNetV1c', depth=50, **NARROW), 16, level_output=1
    ),
    'mmpretrain ResNetV1d': bottlenecks(
        dict(type='mmpretrain.ResNetV1d', depth=50, **NARROW), 16, level_output=1
    ),
    'mmpretrain ResNeXt': bottlenecks(
        dict(type='mmpretrain.ResNeXt', depth=50, groups=2, width_per_group=4, **NARROW), 16, level_output=1
    ),
    'mmpretrain SEResNet': bottlenecks(
        dict(type='mmpretrain.SEResNet', depth=50, **NARROW), 16, level_output=1
    ),
    'mmpretrain ResNet_CIFAR': basic_blocks(
        dict(type='mmpretrain.ResNet_CIFAR', depth=18, **NARROW), 8, size=32, level_output=1
    ),
    'mmpretrain RegNet': bottlenecks(
        dict(type='mmpretrain.RegNet', arch=REGNET, base_channels=8, stem_channels=8), 7, level_output=1
    ),
    'mmpretrain Res2Net': bottlenecks(
        dict(type='mmpretrain.Res2Net', depth=50, scales=4, base_width=16, **NARROW),
        16,
        after_conv1=SPLIT,
        level_output=1,
    ),
    'mmpretrain MobileNetV2': inverted(
        dict(type='mmpretrain.MobileNetV2', widen_factor=0.25), 17, 16, stages=7, level_output=1
    ),
    'mmpretrain MobileNetV3': inverted(
        dict(type='mmpretrain.MobileNetV3', arch='small', out_indices=(3, 8, 12)),
        11,
        10,
        stages=5,
        level_output=3,
    ),
    'mmpretrain EfficientNet': inverted(
        dict(type='mmpretrain.EfficientNet', arch='b0', out_indices=(3, 5)),
        16,
        15,
        stages=5,
        size=32,
        level_output=2,
    ),
    'mmpretrain EfficientNet-EdgeTPU': inverted(
        dict(type='mmpretrain.EfficientNet', arch='es'),
        18,
        18,
        stages=5,
        size=32,
        after_depthwise=11,
        level_output=1,
    ),
    'mmpretrain EfficientNetV2': inverted(
        dict(type='mmpretrain.EfficientNetV2', arch='b0'),
        20,
        20,
        stages=6,
        size=32,
        after_depthwise=16,
        block_output=21,
        level_output=1,
    ),
    'mmpretrain ShuffleNetV1': inverted(
        dict(type='mmpretrain.ShuffleNetV1', groups=2, widen_factor=0.25),
        16,
        0,
        stages=3,
        after_expand='its blocks begin with a reduction',
        level_output=1,
    ),
    'mmpretrain ShuffleNetV2': inverted(
        dict(type='mmpretrain.ShuffleNetV2', widen_factor=0.5, out_indices=(0, 1, 2)),
        16,
        0,
        stages=3,
        after_expand='its blocks do not expand',
        after_linear='the last convolution of its blocks has an activation',
        level_output=3,
    ),
    'mmpretrain ConvNeXt': backbone(
        dict(
            type='mmpretrain.ConvNeXt',
            arch=dict(depths=[1, 1, 2, 1], channels=[8, 16, 24, 32]),
            out_indices=(0, 1, 2, 3),
            gap_before_final_norm=False,
        ),
        4,
        CHANNELS_LAST,
        block_output=5,
        level_output=4,
    ),
    'mmpretrain Swin': transformer(
        dict(
            type='mmpretrain.SwinTransformer',
            arch=dict(embed_dims=8, depths=[1, 1, 1, 1], num_heads=[1, 1, 2, 2]),
            img_size=64,
            window_size=2,
            out_indices=(0, 1, 2, 3),
        )
    ),
    'mmpretrain VGG': backbone(
        dict(type='mmpretrain.VGG', depth=11, norm_cfg=dict(type='BN')), 5, PLAIN, size=32, level_output=1
    ),
    'mmpretrain RepVGG': backbone(
        dict(
            type='mmpretrain.RepVGG',
            arch=dict(num_blocks=[1, 2, 1, 1], width_factor=[0.125] * 4, group_layer_map=None, se_cfg=None),
        ),
        4,
        ONE_STEP,
        block_output=5,
        level_output=1,
    ),
    'mmpretrain MobileOne': backbone(
        dict(
            type='mmpretrain.MobileOne',
            arch=dict(
                num_blocks=[1, 2, 1, 1],
                width_factor=[0.125] * 4,
                num_conv_branches=[2, 1, 1, 1],
                num_se_blocks=[0, 0, 0, 1],
            ),
        ),
        4,
        ONE_STEP,
        # The last stage has the host's own SE before the activation.
        after_depthwise=4,
        block_output=10,
        level_output=1,
    ),
    'mmpretrain DenseNet': backbone(
        dict(
            type='mmpretrain.DenseNet',
            arch=dict(growth_rate=4, depths=[2, 2, 3, 2], init_channels=8),
            out_indices=(0, 1, 2, 3),
        ),
        4,
        RESIDUAL,
        after_conv1=9,
        after_conv2='the norm of the second convolution is in the layers that follow',
        after_conv3=TWO_CONVS,
        block_output=4,
        level_output=4,
    ),
    'attn_plugins MobileNeXt': inverted(
        dict(type='attn_plugins.MobileNeXt', widen_factor=0.1),
        20,
        20,
        stages=8,
        size=32,
        # Where channels change there is no first depthwise convolution, and no last one either without a stride.
        after_depthwise=15,
        after_linear=18,
        level_output=1,
    ),
    'attn_plugins HBONet': inverted(
        dict(type='attn_plugins.HBONet', widen_factor=0.1), 17, 16, stages=8, size=32, level_output=1
    ),
    'attn_plugins CifarResNet-8': basic_blocks(
        dict(type='attn_plugins.CifarResNet', depth=8), 3, stages=3, level_output=1
    ),
    'attn_plugins CifarResNet-11': bottlenecks(
        dict(type='attn_plugins.CifarResNet', depth=11, block='bottleneck'), 3, stages=3, level_output=1
    ),
    'attn_plugins PreResNet': bottlenecks(
        dict(type='attn_plugins.PreResNet', depth=11, extra_norm=True), 3, stages=3, level_output=1
    ),
    'attn_plugins WideResNet': basic_blocks(
        dict(type='attn_plugins.WideResNet', depth=10), 3, stages=3, level_output=1
    ),
    'attn_plugins NIN': basic_blocks(
        dict(type='attn_plugins.NIN', widen_factor=0.1), 3, stages=3, level_output=1
    ),
    'torchvision ResNet-18': basic_blocks(
        lambda: models.ResNet(models.resnet.BasicBlock, [2, 1, 1, 1], num_classes=4), 5
    ),
    'torchvision ResNet-50': bottlenecks(
        lambda: models.ResNet(models.resnet.Bottleneck, [2, 1, 1, 1], num_classes=4, width_per_group=16), 5
    ),
    'torchvision MobileNetV2': inverted(
        lambda: models.MobileNetV2(
            4, inverted_residual_setting=[[1, 8, 1, 1], [6, 16, 2, 2], [6, 24, 2, 2], [6, 32, 1, 1]]
        ),
        6,
        5,
        stages=4,
    ),
    'torchvision MobileNetV3': inverted(
        lambda: models.mobilenet_v3_small(weights=None, num_classes=4), 11, 10, stages=5
    ),
    'torchvision EfficientNet': inverted(
        lambda: _efficientnet(_mb(1, 3, 1, 8, 8, 2), _mb(6, 3, 2, 8, 16, 2), _mb(6, 5, 2, 16, 24, 1)),
        5,
        3,
        stages=3,
    ),
    'torchvision EfficientNetV2': inverted(
        lambda: _efficientnet(_fused(1, 3, 1, 8, 8, 2), _fused(4, 3, 2, 8, 16, 2), _mb(4, 3, 2, 16, 24, 2)),
        4,
        4,
        stages=3,
        after_depthwise=2,
        block_output=6,
    ),
    'torchvision ShuffleNetV2': inverted(
        lambda: models.ShuffleNetV2([2, 2, 1], [8, 16, 24, 32, 32], num_classes=4),
        5,
        0,
        stages=3,
        after_expand='its blocks do not expand',
        after_linear='the last convolution of its blocks has an activation',
    ),
    'torchvision VGG': backbone(_vgg, 3, PLAIN, size=32),
    'torchvision ConvNeXt': backbone(
        lambda: models.ConvNeXt([_cn(8, 16, 1), _cn(16, 24, 2), _cn(24, None, 1)], num_classes=4),
        3,
        CHANNELS_LAST,
        block_output=4,
    ),
    'timm ResNet-18': basic_blocks(
        lambda: timm.models.ResNet(
            timm.models.resnet.BasicBlock, (2, 1, 1, 1), num_classes=4, channels=(8, 16, 24, 32)
        ),
        5,
    ),
    'timm ResNet-50': bottlenecks(
        lambda: timm.models.ResNet(
            timm.models.resnet.Bottleneck, (2, 1, 1, 1), num_classes=4, channels=(8, 16, 24, 32)
        ),
        5,
    ),
    'timm MobileNetV2': inverted(
        lambda: timm.create_model('mobilenetv2_035', num_classes=4), 17, 16, stages=7
    ),
    'timm MobileNetV3': inverted(
        lambda: timm.create_model('mobilenetv3_small_050', num_classes=4), 11, 10, stages=5
    ),
    'timm MobileNetV4': inverted(
        lambda: timm.create_model('mobilenetv4_conv_small_035', num_classes=4),
        12,
        12,
        stages=4,
        # One of its blocks has only a depthwise convolution before the expansion.
        after_depthwise=11,
        block_output=16,
    ),
    'timm EfficientNet': inverted(lambda: timm.create_model('tinynet_e', num_classes=4), 10, 9, stages=7),
    'timm EfficientNet-EdgeTPU': inverted(
        lambda: timm.create_model('test_efficientnet', num_classes=4),
        4,
        4,
        stages=5,
        after_depthwise=2,
        block_output=5,
    ),
    'timm EfficientNet features': inverted(
        lambda: timm.create_model('tinynet_e', features_only=True), 10, 9, stages=7, level_output=5
    ),
    'timm ConvNeXt': backbone(
        lambda: timm.create_model('test_convnext', num_classes=4), 4, CHANNELS_LAST, block_output=9
    ),
}
