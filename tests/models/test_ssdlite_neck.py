"""The extra levels of SSDLite320: sizes, channels and parameters as in the authors' network."""

import pytest
import torch

from attn_plugins.models.ssdlite_neck import SSDLiteNeck


def test_levels_of_an_image_of_320_pixels():
    levels = (torch.randn(2, 96, 20, 20), torch.randn(2, 1280, 10, 10))
    out = SSDLiteNeck(in_channels=(96, 1280))(levels)
    assert [tuple(level.shape[1:]) for level in out] == [
        (96, 20, 20), (1280, 10, 10), (512, 5, 5), (256, 3, 3), (256, 2, 2), (64, 1, 1)
    ]  # fmt: skip
    assert out[0] is levels[0] and out[1] is levels[1]


def test_parameters_by_hand():
    """Per level: 1x1 in*m, depthwise 9m, 1x1 m*out, and two per channel of three batch norms."""
    expected = sum(
        i * m + 9 * m + m * o + 2 * (m + m + o)
        for i, m, o in [(1280, 256, 512), (512, 256, 256), (256, 128, 256), (256, 128, 64)]
    )
    neck = SSDLiteNeck(in_channels=(96, 1280))
    assert sum(p.numel() for p in neck.parameters()) == expected


def test_lengths_must_agree():
    with pytest.raises(ValueError, match='one ratio per extra level'):
        SSDLiteNeck(in_channels=(96, 1280), out_channels=(64, 64), expand_ratios=(0.5,))


def test_levels_behind_mobilenext():
    """The extra levels start from a map that is no level; 700,672 parameters, as the authors' `extras` have
    (6219e33).
    """
    neck = SSDLiteNeck(
        in_channels=(576, 1280, 1280),
        out_channels=(512, 256, 256, 128),
        expand_ratios=(0.2, 0.25, 0.5, 0.5),
        block='sandglass',
        start_is_level=False,
    )
    assert sum(p.numel() for p in neck.parameters()) == 700_672
    levels = (torch.randn(2, 576, 20, 20), torch.randn(2, 1280, 10, 10), torch.randn(2, 1280, 10, 10))
    out = neck(levels)
    assert [tuple(level.shape[1:]) for level in out] == [
        (576, 20, 20), (1280, 10, 10), (512, 5, 5), (256, 3, 3), (256, 2, 2), (128, 1, 1)
    ]  # fmt: skip
    assert torch.equal(neck((*levels[:1], -levels[1], levels[2]))[2], out[2])
    assert not torch.equal(neck((*levels[:2], -levels[2]))[2], out[2])


def test_unknown_blocks_are_refused():
    with pytest.raises(ValueError, match="no block='inverted': choose one of inverted_residual, sandglass"):
        SSDLiteNeck(in_channels=(96, 1280), block='inverted')
