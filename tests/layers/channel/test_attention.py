"""Channel attention from parts: gates, strips, every combination, start, bad input."""

import itertools

import pytest
import torch

from attn_plugins.registry import GATES
from tests.layers.helpers import MAPS, exact, make, random_map
from tests.layers.starts import assert_start, plain_norm, torch_default


def test_gates_are_their_formulas():
    logits = random_map(3, 8)
    gate = GATES.build(dict(type='one_plus_tanh'))(logits)
    torch.testing.assert_close(gate, 2 / (1 + (-2 * logits).exp()))
    gate = GATES.build(dict(type='softmax'))(logits)
    torch.testing.assert_close(gate, logits.exp() / logits.exp().sum(1, keepdim=True))


@pytest.mark.parametrize('height, width', MAPS)
def test_strips_gate_rows_and_columns(height, width):
    """Row h of channel c is multiplied by the gate of its own mean, and so is column w."""
    layer = exact('ChannelAttention', in_channels=6, squeeze='strips', excitation='instance_enhance')
    excitation = layer.excitation
    x = random_map(2, 6, height, width)
    rows, columns = x.sum(3) / width, x.sum(2) / height
    gates = [
        1 / (1 + torch.exp(-(excitation.weight[:, None] * strip + excitation.bias[:, None])))
        for strip in (rows, columns)
    ]
    torch.testing.assert_close(layer(x), x * gates[0][..., None] * gates[1][:, :, None])


@pytest.mark.parametrize('squeeze', [['strips', 'mean'], dict(type='stack', squeezes=['max', 'strips'])])
def test_strips_stand_alone(squeeze):
    with pytest.raises(ValueError, match="'strips' gives a descriptor per row and column and stands alone"):
        make('ChannelAttention', in_channels=32, squeeze=squeeze)


PARTS = list(
    itertools.product(
        ['mean', 'max', 'std', 'mean_std', 'l1', 'l2', 'dct', 'stack', 'strips'],
        ['fc', 'conv1d', 'style', 'instance_enhance', 'normalized_scale', 'identity', 'lstm', 'switch'],
        ['sigmoid', 'hard_sigmoid', 'one_plus_tanh', 'softmax', 'identity'],
    )
)
ONE_VALUE = {'instance_enhance', 'normalized_scale', 'identity'}


@pytest.mark.parametrize('squeeze, excitation, gate', PARTS)
def test_every_combination_works_or_says_why_not(squeeze, excitation, gate):
    cfg = dict(in_channels=16, squeeze=squeeze, excitation=excitation, gate=gate)
    if excitation == 'switch':
        cfg['excitation'] = dict(type='switch', excitations=['fc', 'conv1d'])
    if squeeze in ('mean_std', 'stack') and excitation in ONE_VALUE:
        message = (
            f"gives 2 values per channel but the excitation '{excitation}' reads one: choose from conv1d, fc"
        )
        with pytest.raises(ValueError, match=message):
            make('ChannelAttention', **cfg)
        return
    layer = make('ChannelAttention', **cfg).eval()
    x = torch.randn(2, 16, 5, 3)
    y = layer(x)
    assert y.shape == x.shape
    ratio = y / x
    corner, row, column = ratio[:, :, :1, :1], ratio[:, :, :1], ratio[:, :, :, :1]
    if squeeze == 'strips':  # a gate per row times a gate per column
        torch.testing.assert_close(ratio * corner, row * column, rtol=1e-4, atol=1e-6)
    else:  # one gate
        torch.testing.assert_close(ratio, corner.expand_as(ratio), rtol=1e-4, atol=1e-6)


def test_start():
    """Each part as in the method that it comes from."""
    assert_start(
        'ChannelAttention',
        {**torch_default('excitation.fc1', 64), **torch_default('excitation.fc2', 16)},
        in_channels=64,
        excitation=dict(type='fc', reduction=4),
    )
    assert_start(
        'ChannelAttention',
        {
            **torch_default('excitation.switch', 64),
            'excitation.excitations.0.weight': 0,
            **plain_norm('excitation.excitations.0.norm'),
            'excitation.excitations.1.alpha': 1,
            'excitation.excitations.1.gamma': 0,
            'excitation.excitations.1.beta': 0,
        },
        in_channels=64,
        excitation=dict(type='switch', excitations=['style', 'normalized_scale', 'identity']),
    )


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(squeeze=['mean', 'mean_std']), r'gives \[1, 2\] values per channel'),
        (dict(squeeze=dict(type='stack', squeezes=['mean'])), 'at least two'),
        (dict(excitation=dict(type='normalized_scale', p=3)), 'p=3 must be 1 or 2'),
        (dict(squeeze='maen'), "no squeeze of type 'maen': did you mean mean"),
        (
            dict(excitation=dict(type='fc', reductoin=4)),
            "fc has no option 'reductoin': did you mean reduction",
        ),
        (dict(gate='sigmod'), 'did you mean sigmoid'),
    ],
)
def test_options_that_cannot_work_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make('ChannelAttention', **{'in_channels': 32, **options})
