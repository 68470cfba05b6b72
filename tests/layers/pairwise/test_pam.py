"""PAM: formula in float64, count, start, memory, bad input."""

import pytest
import torch

from tests.layers.check import scramble
from tests.layers.helpers import assert_same, count, exact, make, random_map
from tests.layers.starts import assert_start, torch_default


def test_pam_attends_to_every_place():
    layer = exact('PAM', in_channels=8, reduction=2)
    x = random_map(2, 8, 3, 5)
    q, k, v = layer.query(x).flatten(2), layer.key(x).flatten(2), layer.value(x).flatten(2)
    weights = torch.einsum('ndi,ndj->nij', q, k).softmax(2)
    assert_same(layer(x), x + layer.gamma * torch.einsum('nij,ncj->nci', weights, v).view_as(x))


@pytest.mark.parametrize(
    'options, number',
    [
        (dict(in_channels=64), 1.25 * 64**2 + 1.25 * 64 + 1),
    ],
)
def test_parameter_counts_are_the_papers(options, number):
    assert count('PAM', **options) == number


def test_start():
    """junfu1115/DANet: encoding/nn/da_att.py; the convolutions are left at torch's default."""
    assert_start(
        'PAM',
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
    layer = make('PAM', in_channels=16)
    scramble(layer)
    layer.init_weights()
    x = torch.randn(2, 16, 4, 5)
    assert torch.equal(layer(x), x)


def test_no_map_over_all_pairs_is_held():
    layer = make('PAM', in_channels=16)
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t.numel()) or t, lambda t: t):
        layer(torch.randn(1, 16, 20, 20))
    assert max(saved) <= 16 * 20 * 20


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(in_channels=4), 'reduction=8 leaves 0 hidden channels for in_channels=4'),
    ],
)
def test_options_that_cannot_work_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make('PAM', **{'in_channels': 32, **options})
