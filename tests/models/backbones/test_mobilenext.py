"""MobileNeXt: the authors' counts, what SSDLite takes of it, and that Coordinate Attention stands where it is
published.
"""

import copy

import pytest
import torch

from attn_plugins import inserted_layers, plug
from attn_plugins.errors import UserError
from attn_plugins.insertion.locate import InsertionPoints
from attn_plugins.models.backbones.mobilenext import MobileNeXt, Sandglass
from tests.layers.starts import assert_drawn_from, kaiming, plain_norm

# The classifier of 1000 classes on 1280 channels.
CLASSIFIER = 1281 * 1000


def parameters(model: torch.nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize('width, expected', [(1.0, 3_535_416), (0.75, 2_766_168), (0.5, 2_152_304)])
def test_parameters_are_those_of_the_authors_code(width, expected):
    assert parameters(MobileNeXt(widen_factor=width)) + CLASSIFIER == expected


@pytest.mark.parametrize(
    'cfg, expected, rounded',
    [
        (dict(type='attn_plugins.CoordAttention', reduction=24), 4_108_336, 4.108),
        (dict(type='attn_plugins.SE', reduction=24), 3_913_557, 3.914),
    ],
)
def test_parameters_with_a_layer_after_every_first_depthwise_convolution(cfg, expected, rounded):
    host = MobileNeXt()
    stages = InsertionPoints(host).having('after_depthwise')
    assert stages == (
        True,
        True,
        (False, True, True),
        (False, True, True),
        (False, True, True, True),
        (False, True, True, True),
        (False, True, True),
        True,
    )
    plug(host, [dict(cfg=cfg, position='after_depthwise', stages=stages)])
    assert len(inserted_layers(host)) == 15
    assert parameters(host) + CLASSIFIER == expected
    assert round(expected / 1e6, 3) == rounded


def test_stages_of_an_image():
    host = MobileNeXt(out_indices=range(8)).eval()
    assert [tuple(y.shape[1:]) for y in host(torch.randn(1, 3, 64, 96))] == [
        (96, 16, 24), (144, 16, 24), (192, 8, 12), (288, 4, 6), (384, 4, 6), (576, 2, 3), (960, 2, 3), (1280, 2, 3)
    ]  # fmt: skip


def test_what_ssdlite_takes():
    """576 channels at stride 16, 1280 at stride 32, and the last output, on which the extra levels stand."""
    host = MobileNeXt(out_indices=(7,), expanded_out_indices=(5, 7)).eval()
    x = torch.randn(1, 3, 320, 320)
    seen = []
    for block in (host.layer6[0], host.layer8[0]):
        block.depthwise2.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    first, second, last = host(x)
    assert first.shape == (1, 576, 20, 20) and second.shape == last.shape == (1, 1280, 10, 10)
    assert torch.equal(first, seen[0]) and torch.equal(second, seen[1])
    host.expanded_out_indices = ()
    assert torch.equal(host(x)[0], last)


def test_layers_stand_around_what_is_taken_from_inside_a_block():
    """A layer on the block's output is not in the map from inside it, and one on its first convolution is."""
    host = MobileNeXt(widen_factor=0.1, out_indices=(7,), expanded_out_indices=(5, 7)).eval()
    inside, after = (copy.deepcopy(host) for _ in range(2))
    only_last = (*[False] * 7, True)
    se = dict(type='attn_plugins.SE', reduction=4)
    plug(inside, [dict(cfg=se, position='after_depthwise', stages=only_last)])
    plug(after, [dict(cfg=se, position='block_output', stages=only_last)])
    x = torch.randn(1, 3, 64, 64)
    plain, inside, after = host(x), inside.eval()(x), after.eval()(x)
    assert torch.equal(plain[0], inside[0]) and torch.equal(plain[0], after[0])
    assert not torch.equal(plain[1], inside[1]) and torch.equal(plain[1], after[1])
    assert not torch.equal(plain[2], inside[2]) and not torch.equal(plain[2], after[2])


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(out_indices=(8,)), r'no stage 8 for out_indices: choose from 0 \(layer1\) to 7 \(layer8\)'),
        (dict(expanded_out_indices=(9,)), 'no stage 9 for expanded_out_indices'),
        (
            dict(expanded_out_indices=(6,)),
            r'stage 6 \(layer7\) ends with its expansion: name it in out_indices',
        ),
        (dict(frozen_stages=9), 'frozen_stages=9: give -1 for none, or how many of its 8 stages'),
    ],
)
def test_what_cannot_be_is_said(options, message):
    with pytest.raises(UserError, match=message):
        MobileNeXt(widen_factor=0.1, **options)


def test_frozen_stages_and_norms_stand_still():
    host = MobileNeXt(widen_factor=0.1, frozen_stages=2, norm_eval=True)
    host.init_weights()
    host.train()
    frozen = {name.split('.')[0] for name, p in host.named_parameters() if not p.requires_grad}
    assert frozen == {'conv1', 'layer1', 'layer2'}
    assert not host.conv1.training and not host.layer2.training and host.layer3.training
    assert not any(m.training for m in host.modules() if isinstance(m, torch.nn.BatchNorm2d))
    assert all(p.requires_grad for p in MobileNeXt(widen_factor=0.1).train().parameters())


def test_checkpointing_changes_nothing():
    plain = MobileNeXt(widen_factor=0.1, expanded_out_indices=(5,))
    again = MobileNeXt(widen_factor=0.1, expanded_out_indices=(5,), with_cp=True)
    again.load_state_dict(plain.state_dict())
    x = torch.randn(2, 3, 64, 64)
    for host in (plain, again):
        sum(y.square().sum() for y in host(x)).backward()
    gradients = [p.grad for p in again.parameters()]
    assert all(torch.equal(p.grad, other) for p, other in zip(plain.parameters(), gradients, strict=True))


def test_where_a_width_makes_channels_equal_the_stride_stays():
    block = Sandglass(8, 8, stride=2)
    assert not block.residual and block(torch.randn(2, 8, 5, 6)).shape == (2, 8, 3, 3)


def test_the_start_is_the_authors():
    """Convolutions N(0, 2 / (k^2 * out_channels)), depthwise ones too; norms 1 and 0."""

    def started() -> torch.nn.Module:
        host = MobileNeXt()
        for parameter in host.parameters():
            torch.nn.init.constant_(parameter, 7)
        host.init_weights()
        return host.layer8[0]

    block, start = started(), {}
    for name in ('depthwise1', 'reduce', 'expand', 'depthwise2'):
        conv = getattr(block, name).conv
        start |= {f'{name}.conv.weight': kaiming(conv.kernel_size[0] ** 2 * conv.out_channels)}
        start |= plain_norm(f'{name}.bn')
    assert_drawn_from(started, start, most=4)
