"""CrissCross: formula in float64, count, start, bad input."""

import pytest
import torch

from tests.layers.check import scramble
from tests.layers.helpers import assert_same, count, exact, make, random_map
from tests.layers.starts import assert_start, torch_default


@pytest.mark.parametrize('height, width', [(1, 1), (1, 5), (4, 1), (4, 3)])
def test_criss_cross_attends_to_row_and_column_once(height, width):
    layer = exact('CrissCross', in_channels=8, reduction=2)
    x = random_map(2, 8, height, width)
    q, k, v = layer.query(x), layer.key(x), layer.value(x)
    expected = torch.empty_like(x)
    for i in range(height):
        for j in range(width):
            places = [(b, a) for b in range(height) for a in range(width) if b == i or a == j]
            assert len(places) == height + width - 1
            energies = torch.stack([(q[:, :, i, j] * k[:, :, b, a]).sum(1) for b, a in places], 1)
            values = torch.stack([v[:, :, b, a] for b, a in places], 1)
            expected[:, :, i, j] = (energies.softmax(1)[..., None] * values).sum(1)
    assert_same(layer(x), x + layer.gamma * expected)


@pytest.mark.parametrize(
    'options, number',
    [
        (dict(in_channels=64), 1.25 * 64**2 + 1.25 * 64 + 1),
    ],
)
def test_parameter_counts_are_the_papers(options, number):
    assert count('CrissCross', **options) == number


def test_start():
    """speedinghzl/CCNet: cc_attention/functions.py; the convolutions are left at torch's default."""
    assert_start(
        'CrissCross',
        {
            **torch_default('query', 64),
            **torch_default('key', 64),
            **torch_default('value', 64),
            'gamma': 0,
        },
        in_channels=64,
        reduction=4,
    )


def test_it_starts_as_the_identity():
    layer = make('CrissCross', in_channels=16)
    scramble(layer)
    layer.init_weights()
    x = torch.randn(2, 16, 4, 5)
    assert torch.equal(layer(x), x)


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(in_channels=4), 'reduction=8 leaves 0 hidden channels for in_channels=4'),
    ],
)
def test_options_that_cannot_work_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make('CrissCross', **{'in_channels': 32, **options})
