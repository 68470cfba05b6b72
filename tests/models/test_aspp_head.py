"""DeepLabV3's head: mmseg's but for the fusion, which is 1x1."""

import torch
from mmseg.models.decode_heads import ASPPHead

from attn_plugins.models.aspp_head import DeepLabV3Head

OPTIONS = {
    'in_channels': 12,
    'channels': 8,
    'num_classes': 5,
    'dilations': (1, 2, 4),
    'norm_cfg': {'type': 'BN'},
    'align_corners': False,
}


def test_only_the_fusion_differs_from_mmseg():
    ours, theirs = DeepLabV3Head(**OPTIONS).state_dict(), ASPPHead(**OPTIONS).state_dict()
    assert list(ours) == list(theirs)
    differing = [name for name in ours if ours[name].shape != theirs[name].shape]
    assert differing == ['bottleneck.conv.weight']
    assert tuple(ours['bottleneck.conv.weight'].shape) == (8, 4 * 8, 1, 1)


def test_output_keeps_height_and_width():
    out = DeepLabV3Head(**OPTIONS)([torch.randn(2, 12, 9, 7)])
    assert out.shape == (2, 5, 9, 7)


def test_separable_branches_leave_the_parameters_of_the_article():
    """320 channels, 256 wide, 21 classes, 1x1 fusion: 2,568,021 - 1,811,712 parameters (a depthwise and a 1x1 per
    branch).
    """
    options = dict(OPTIONS, in_channels=320, channels=256, num_classes=21, dilations=(1, 6, 12, 18))
    head = DeepLabV3Head(separable=True, **options)
    branch = 9 * 320 + 2 * 320 + 320 * 256 + 2 * 256
    expected = 3 * branch + 2 * (320 * 256 + 2 * 256) + 5 * 256 * 256 + 2 * 256 + 256 * 21 + 21
    assert sum(p.numel() for p in head.parameters()) == expected == 2_568_021 - 1_811_712
    assert head([torch.randn(2, 320, 5, 7)]).shape == (2, 21, 5, 7)
