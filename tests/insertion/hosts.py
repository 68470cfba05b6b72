"""The hosts that every invariant of insertion is tested in."""

import torch
from mmdet.registry import MODELS as MMDET  # noqa: F401  the scopes must be known
from mmengine.registry import MODELS
from mmpretrain.registry import MODELS as MMPRETRAIN  # noqa: F401
from mmseg.registry import MODELS as MMSEG  # noqa: F401
from torch.nn.modules.batchnorm import _BatchNorm

CA = dict(type='attn_plugins.CoordAttention')
SE = dict(type='attn_plugins.SE', reduction=4)
IEBN = dict(type='attn_plugins.IEBN')
NORMS = ('attn_plugins.IEBN', 'attn_plugins.NoisyBN')
# Of a RetinaNet on five levels.
ANCHORS = dict(
    type='mmdet.AnchorGenerator',
    octave_base_scale=4,
    scales_per_octave=1,
    ratios=[1.0],
    strides=[8, 16, 32, 64, 128],
)

# name -> (type, options, positions, layers with one at each block of every stage)
HOSTS = {
    'mmdet MobileNetV2': ('mmdet.MobileNetV2', dict(widen_factor=0.25), 'after_depthwise', 17),
    'mmseg MobileNetV2': ('mmseg.MobileNetV2', dict(widen_factor=0.25), 'after_depthwise', 17),
    'mmpretrain MobileNetV2': ('mmpretrain.MobileNetV2', dict(widen_factor=0.25), 'after_depthwise', 17),
    'mmdet ResNet-50': ('mmdet.ResNet', dict(depth=50, base_channels=8, stem_channels=8), 'after_conv3', 16),
    'mmdet ResNet-18': ('mmdet.ResNet', dict(depth=18, base_channels=16, stem_channels=16), 'after_conv2', 8),
    'mmseg ResNetV1c-50': (
        'mmseg.ResNetV1c',
        dict(depth=50, base_channels=8, stem_channels=8),
        'after_conv2',
        16,
    ),
    'mmpretrain ResNet-50': (
        'mmpretrain.ResNet',
        dict(depth=50, base_channels=8, stem_channels=8, expansion=4),
        'after_conv1',
        16,
    ),
    'mmpretrain ResNet-18': (
        'mmpretrain.ResNet',
        dict(depth=18, base_channels=16, stem_channels=16),
        'block_output',
        8,
    ),
    'mmpretrain EfficientNet': ('mmpretrain.EfficientNet', dict(arch='b0'), 'after_depthwise', 16),
    'mmdet FPN': ('mmdet.FPN', dict(in_channels=[16, 32], out_channels=16, num_outs=3), 'fpn_output', 2),
}


def plain(name: str, **options) -> torch.nn.Module:
    """The host as OpenMMLab builds it."""
    host, defaults, *_ = HOSTS[name]
    return MODELS.build(dict(type=host, **{**defaults, **options}))


def plugged(
    name: str, cfg: dict = CA, position: str | None = None, share: str | None = None, **options
) -> torch.nn.Module:
    """The host with a layer at its position, or with every norm of the main path replaced."""
    host, defaults, usual, _ = HOSTS[name]
    place = (
        dict(norm='main')
        if (cfg or {}).get('type') in NORMS
        else dict(position=position or usual, share=share)
    )
    entry = dict(cfg=cfg, **place)
    return MODELS.build(
        dict(type='attn_plugins.Plugged', host=host, plugins=[entry], **{**defaults, **options})
    )


def forward(
    name: str, model: torch.nn.Module, seed: int = 0, dtype: torch.dtype | None = None
) -> torch.Tensor:
    """The last output on a fixed random input, by default in the model's own precision."""
    generator = torch.Generator().manual_seed(seed)
    dtype = dtype or next(model.parameters()).dtype
    if 'FPN' in name:
        maps = [
            torch.randn(2, channels, size, size, generator=generator) for channels, size in ((16, 8), (32, 4))
        ]
        return model([x.to(dtype) for x in maps])[-1]
    return model(torch.randn(2, 3, 64, 64, generator=generator).to(dtype))[-1]


def settle(name: str, model: torch.nn.Module) -> None:
    """Gives every batch norm the statistics of its own input.

    A deep network with random statistics grows by orders of magnitude and turns rounding into differences.
    """
    model.eval()
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    for norm in norms:
        norm.train()
        norm.reset_running_stats()
        norm.momentum = None
    forward(name, model)
    model.eval()
