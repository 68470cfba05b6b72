"""SEM: formula in float64, count, start, bad input."""

import pytest
import torch
import torch.nn.functional as F

from tests.layers.helpers import MAPS, count, exact, make, random_map
from tests.layers.starts import assert_start, torch_default


@pytest.mark.parametrize('height, width', MAPS)
def test_sem_is_its_formula(height, width):
    layer = exact('SEM', in_channels=8, reduction=2)
    fc, conv, enhance = layer.excitation.excitations
    x = random_map(3, 8, height, width)
    for n in range(3):
        m = x[n].sum((1, 2)) / (height * width)
        switch = torch.sigmoid(layer.excitation.switch.weight @ m + layer.excitation.switch.bias)
        logits = [
            fc.fc2.weight @ (fc.fc1.weight @ m + fc.fc1.bias).clamp(min=0) + fc.fc2.bias,
            torch.stack([conv.conv.weight[0, 0] @ F.pad(m, (1, 1))[c : c + 3] for c in range(8)]),
            enhance.weight * m + enhance.bias,
        ]
        gate = torch.ones(8, dtype=torch.float64)
        for weight, logit in zip(switch, logits, strict=True):
            gate = gate / (1 + torch.exp(-weight * logit))
        torch.testing.assert_close(layer(x)[n], x[n] * gate[:, None, None])


def test_sem_takes_any_list():
    layer = exact('SEM', in_channels=8, excitations=['identity'])
    x = random_map(2, 8, 3, 4)
    z = x.mean((2, 3))
    weight = torch.sigmoid(z @ layer.excitation.switch.weight.T + layer.excitation.switch.bias)
    torch.testing.assert_close(layer(x), x * torch.sigmoid(weight * z)[:, :, None, None])


def test_decisions_compete_or_are_left_out():
    x = random_map(2, 8, 3, 4)
    z = x.mean((2, 3))
    layer = exact('SEM', in_channels=8, excitations=['identity', 'identity'], decision='softmax')
    scores = z @ layer.excitation.switch.weight.T + layer.excitation.switch.bias
    first = scores[:, :1].exp() / scores.exp().sum(1, keepdim=True)
    gate = torch.sigmoid(first * z) * torch.sigmoid((1 - first) * z)
    torch.testing.assert_close(layer(x), x * gate[:, :, None, None])
    layer = exact('SEM', in_channels=8, excitations=['identity'], decision='none')
    assert not list(layer.parameters())
    torch.testing.assert_close(layer(x), x * torch.sigmoid(z)[:, :, None, None])


def test_a_decision_that_does_not_exist_is_refused():
    with pytest.raises(
        ValueError, match="decision='mean' of a switch must be one of sigmoid, softmax or none"
    ):
        make('SEM', in_channels=8, reduction=2, decision='mean')


@pytest.mark.parametrize(
    'options, number',
    [
        (dict(in_channels=64), 64 * 64 // 8 + 64 // 16 + 6 * 64 + 3 + 3),
        (dict(in_channels=256), 256 * 256 // 8 + 256 // 16 + 6 * 256 + 3 + 5),
    ],
)
def test_parameter_counts_are_the_papers(options, number):
    assert count('SEM', **options) == number


def test_start():
    """Qrange-group/SEM: models/sem.py; torch's defaults but for the instance enhancement."""
    assert_start(
        'SEM',
        {
            **torch_default('excitation.switch', 64),
            **torch_default('excitation.excitations.0.fc1', 64),
            **torch_default('excitation.excitations.0.fc2', 16),
            **torch_default('excitation.excitations.1.conv', 3, bias=False),
            'excitation.excitations.2.weight': 0,
            'excitation.excitations.2.bias': -1,
        },
        in_channels=64,
        reduction=4,
    )


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(excitations=[]), r'excitations=\[\] of a switch must be a list'),
        (dict(excitations=['switch']), 'a switch cannot hold another switch'),
        (dict(excitations=['fcc']), "no excitation of type 'fcc': did you mean fc"),
    ],
)
def test_options_that_cannot_work_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make('SEM', **{'in_channels': 32, **options})
