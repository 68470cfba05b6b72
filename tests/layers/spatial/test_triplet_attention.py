"""TripletAttention: its symmetry, count, start, bad input."""

import pytest
import torch

from tests.layers.helpers import count, exact, make, random_map
from tests.layers.starts import assert_start, kaiming, plain_norm


def test_triplet_attention_rotates_the_axes():
    """Exchanging rows and columns exchanges the two channel gates and turns the kernels."""
    layer, turned = exact('TripletAttention', in_channels=8), exact('TripletAttention', in_channels=8)
    turned.gate_cw.load_state_dict(layer.gate_ch.state_dict())
    turned.gate_ch.load_state_dict(layer.gate_cw.state_dict())
    for gate in (turned.gate_cw, turned.gate_ch, turned.gate_hw):
        gate.conv.weight.data = gate.conv.weight.data.transpose(2, 3).contiguous()
    x = random_map(2, 8, 3, 6)
    torch.testing.assert_close(turned(x.transpose(2, 3)), layer(x).transpose(2, 3))


@pytest.mark.parametrize(
    'options, number',
    [
        (dict(in_channels=64), 300),
        (dict(in_channels=64, kernel_size=3), 60),
        (dict(in_channels=64, spatial=False), 200),
    ],
)
def test_parameter_counts_are_the_papers(options, number):
    assert count('TripletAttention', **options) == number


def test_start():
    """landskape-ai/triplet-attention: MODELS/resnet.py: only the norm called SpatialGate starts at zero."""
    assert_start(
        'TripletAttention',
        {
            'gate_cw.conv.weight': kaiming(49),
            **plain_norm('gate_cw.norm'),
            'gate_ch.conv.weight': kaiming(49),
            **plain_norm('gate_ch.norm'),
            'gate_hw.conv.weight': kaiming(49),
            **plain_norm('gate_hw.norm', weight=0),
        },
        in_channels=64,
    )


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(kernel_size=4), 'kernel_size=4 must be odd.*: try 5'),
    ],
)
def test_options_that_cannot_work_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make('TripletAttention', **{'in_channels': 32, **options})
