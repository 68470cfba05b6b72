"""DoubleAttention: formula in float64, count, start, memory, bad input."""

import pytest
import torch

from tests.layers.helpers import assert_same, count, exact, make, random_map
from tests.layers.starts import assert_start, torch_default


@pytest.mark.parametrize('options', [{}, {'feature_channels': 3, 'attention_maps': 5}])
def test_double_attention_gathers_and_distributes(options):
    """The paper's formula, place by place: the authors' code is not public."""
    layer = exact('DoubleAttention', in_channels=8, **options)
    x = random_map(2, 8, 3, 4)
    a, b, v = layer.feature(x).flatten(2), layer.gather(x).flatten(2), layer.distribute(x).flatten(2)
    z = torch.zeros_like(a)
    for m in range(b.shape[1]):
        over_places = b[:, m].exp() / b[:, m].exp().sum(1, keepdim=True)
        descriptor = (a * over_places[:, None]).sum(2)
        for i in range(a.shape[2]):
            share = v[:, m, i].exp() / v[:, :, i].exp().sum(1)
            z[:, :, i] += share[:, None] * descriptor
    expected = torch.einsum('om,nmi->noi', layer.out.weight.flatten(1), z) + layer.out.bias[:, None]
    assert_same(layer(x), x + expected.view_as(x))


@pytest.mark.parametrize(
    'options, number',
    [
        (dict(in_channels=64), 3 * (64 * 16 + 16) + 16 * 64 + 64),
        (
            dict(in_channels=64, feature_channels=8, attention_maps=4),
            64 * 8 + 8 + 2 * (64 * 4 + 4) + 8 * 64 + 64,
        ),
    ],
)
def test_parameter_counts_are_the_papers(options, number):
    assert count('DoubleAttention', **options) == number


def test_start():
    """No published code: torch's default for every convolution, this package's choice."""
    assert_start(
        'DoubleAttention',
        {
            **torch_default('feature', 64),
            **torch_default('gather', 64),
            **torch_default('distribute', 64),
            **torch_default('out', 16),
        },
        in_channels=64,
    )


def test_no_map_over_all_pairs_is_held():
    layer = make('DoubleAttention', in_channels=16)
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t.numel()) or t, lambda t: t):
        layer(torch.randn(1, 16, 20, 20))
    assert max(saved) <= 16 * 20 * 20


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(feature_channels=0), 'feature_channels=0 must be at least 1'),
        (dict(attention_maps=-1), 'attention_maps=-1 must be at least 1'),
    ],
)
def test_options_that_cannot_work_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make('DoubleAttention', **{'in_channels': 32, **options})
