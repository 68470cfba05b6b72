"""HBONet: the authors' counts, sizes that their code cannot take, and its places."""

import pytest
import torch

from attn_plugins import inserted_layers, plug
from attn_plugins.errors import UserError
from attn_plugins.models.backbones.hbonet import HarmoniousBottleneck, HBONet
from tests.layers.starts import assert_drawn_from, kaiming, plain_norm

# The classifier of 1000 classes on 1600 channels.
CLASSIFIER = 1601 * 1000


@pytest.mark.parametrize(
    'width, expected',
    [
        (1.0, 4_562_116),
        (0.8, 3_612_408),
        (0.5, 2_538_349),
        (0.35, 2_149_828),
        (0.25, 1_935_559),
        (0.1, 1_706_960),
    ],
)
def test_parameters_are_those_of_the_authors_code(width, expected):
    """Counted by running it; their README gives none."""
    assert sum(p.numel() for p in HBONet(widen_factor=width).parameters()) + CLASSIFIER == expected


@pytest.mark.parametrize('height, width', [(64, 96), (65, 77)])
def test_stages_of_an_image(height, width):
    """Sizes are rounded up, as in every other backbone."""
    host = HBONet(out_indices=range(9)).eval()
    channels, strides = (24, 40, 72, 96, 192, 144, 200, 400, 1600), (2, 2, 4, 8, 16, 16, 32, 32, 32)
    maps = host(torch.randn(1, 3, height, width))
    assert [tuple(y.shape) for y in maps] == [
        (1, c, -(-height // s), -(-width // s)) for c, s in zip(channels, strides, strict=True)
    ]


def test_a_block_hands_on_the_last_channels_of_its_input():
    """With stride 1 as they are, with stride 2 averaged over 2 x 2 places."""
    x = torch.randn(2, 8, 6, 4)
    block = HarmoniousBottleneck(8, 10).eval()
    assert torch.equal(block(x)[:, :5], x[:, 3:])
    block = HarmoniousBottleneck(8, 10, stride=2).eval()
    averaged = x[:, 3:].reshape(2, 5, 3, 2, 2, 2).mean((3, 5))
    assert torch.allclose(block(x)[:, :5], averaged, atol=1e-6)


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(widen_factor=1.4), 'takes 52 channels of its input is given 48: choose a widen_factor'),
        (dict(out_indices=(9,)), r'no stage 9 for out_indices: choose from 0 \(layer1\) to 8 \(conv2\)'),
    ],
)
def test_what_cannot_be_is_said(options, message):
    with pytest.raises(UserError, match=message):
        HBONet(**options)


def test_checkpointing_changes_nothing():
    plain, again = HBONet(widen_factor=0.1), HBONet(widen_factor=0.1, with_cp=True)
    again.load_state_dict(plain.state_dict())
    x = torch.randn(2, 3, 64, 64)
    for host in (plain, again):
        host(x)[0].square().sum().backward()
    pairs = zip(plain.parameters(), again.parameters(), strict=True)
    assert all(torch.equal(p.grad, other.grad) for p, other in pairs)


def test_a_layer_after_every_depthwise_convolution():
    host = HBONet(widen_factor=0.1, out_indices=(7, 8))
    plug(host, [dict(cfg=dict(type='attn_plugins.SE', reduction=4), position='after_depthwise')])
    names = list(inserted_layers(host))
    assert len(names) == 17 and names[0] == 'layer1.0.depthwise_conv.attn_se'
    assert [y.shape[1] for y in host(torch.randn(2, 3, 64, 64))] == [40, 1600]


def test_the_start_is_the_authors():
    """Convolutions N(0, 2 / (k^2 * out_channels)), depthwise ones too; norms 1 and 0."""

    def started() -> torch.nn.Module:
        host = HBONet()
        for parameter in host.parameters():
            torch.nn.init.constant_(parameter, 7)
        host.init_weights()
        return host.layer6[0]

    block, start = started(), {}
    for name in ('contract_conv', 'expand_conv', 'depthwise_conv', 'linear_conv', 'smooth_conv'):
        conv = getattr(block, name).conv
        start |= {f'{name}.conv.weight': kaiming(conv.kernel_size[0] ** 2 * conv.out_channels)}
        start |= plain_norm(f'{name}.bn')
    assert_drawn_from(started, start, most=4)
