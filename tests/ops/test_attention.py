"""Attention without the map of weights, and without its pairs, is attention with them."""

from functools import partial

import pytest
import torch

from attn_plugins.ops.attention import (
    attend,
    attend_as_published,
    attend_by_sum,
    attend_by_sum_as_published,
    attend_channels,
    attend_channels_as_published,
    attend_linearly,
    attend_linearly_as_published,
    gather_and_distribute,
    join_heads,
    split_heads,
)
from tests.ops.compare import assert_as_published, random

ROWS = (2, 3, 6, 4), (2, 3, 5, 4), (2, 3, 5, 7)


@pytest.mark.parametrize('scale', [1.0, 0.3])
@pytest.mark.parametrize('masked', [False, True])
def test_attention(scale, masked):
    mask = torch.rand(6, 5) > 0.5
    mask[:, 0] = True  # every query sees a key
    options = dict(scale=scale, mask=mask if masked else None)
    assert_as_published(
        lambda *rows: attend(*rows, **options),
        lambda *rows: attend_as_published(*rows, **options),
        *(random(*shape) for shape in ROWS),
    )


@pytest.mark.parametrize('offset', [0, 3])
@pytest.mark.parametrize('sharpness', [0.1, 1])
def test_attention_in_half_precision(offset, sharpness):
    """It is as precise as the formula, of keys and values far from zero too, where the kernels' own gradient is not."""
    torch.manual_seed(0)
    query, key, value = (random(2, 3, 100, 8) for _ in range(3))
    rows = [part.bfloat16() for part in (sharpness * query, key + offset, value + offset)]
    weighting = random(2, 3, 100, 8).bfloat16()
    results = []
    for op, dtype in (
        (attend, torch.bfloat16),
        *((attend_as_published, t) for t in (torch.bfloat16, torch.float64)),
    ):
        leaves = [part.to(dtype).requires_grad_() for part in rows]
        y = op(*leaves)
        results.append([y, *torch.autograd.grad(y, leaves, weighting.to(dtype))])
    for ours, theirs, exact in zip(*results, strict=True):
        assert (ours - exact).norm() <= 2 * (theirs - exact).norm()


def test_attention_without_softmax():
    assert_as_published(attend_linearly, attend_linearly_as_published, *(random(*shape) for shape in ROWS))


def test_attention_by_a_sum():
    """The weights of the concatenation, applied to each half before the pairs are formed."""

    def fast(theta, phi, value, weight):
        of_theta, of_phi = weight[:, None].chunk(2)
        return attend_by_sum(theta @ of_theta, phi @ of_phi, value)

    assert_as_published(fast, attend_by_sum_as_published, *(random(*shape) for shape in ROWS), random(8))


def test_attention_among_channels():
    """The authors' difference to the maximum is the sign -1."""
    for sign in (-1.0, 1.0):
        assert_as_published(
            partial(attend_channels, sign=sign),
            partial(attend_channels_as_published, sign=sign),
            random(2, 4, 3, 5),
        )


def test_gather_and_distribute_sums_over_the_maps():
    feature, gather, distribute = random(2, 3, 4, 5), random(2, 6, 4, 5), random(2, 6, 4, 5)
    over_places = gather.exp() / gather.exp().sum((2, 3), keepdim=True)
    over_maps = distribute.exp() / distribute.exp().sum(1, keepdim=True)
    descriptors = torch.einsum('nehw,nmhw->nme', feature, over_places)
    expected = torch.einsum('nme,nmhw->nehw', descriptors, over_maps)
    torch.testing.assert_close(gather_and_distribute(feature, gather, distribute), expected)


def test_heads_are_split_row_by_row_and_joined_again():
    x = random(2, 6, 3, 4)
    rows = split_heads(x, 2)
    assert torch.equal(rows[1, 1, 1 * 4 + 2], x[1, 3:, 1, 2])
    assert torch.equal(join_heads(rows, 3, 4), x)
