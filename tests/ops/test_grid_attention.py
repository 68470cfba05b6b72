"""Attention with terms of columns and rows is attention with the map of all energies."""

import pytest
import torch

from attn_plugins.ops import grid_attention
from attn_plugins.ops.attention_in_parts import attend_in_parts_as_published
from attn_plugins.ops.grid_attention import (
    attend_on_grid,
    attend_separably,
    attend_separably_as_published,
    one_hot_places,
)
from tests.ops.compare import assert_as_published, random


@pytest.fixture(params=[True, False], ids=['parts', 'features'])
def _form(request, monkeypatch):
    """Both forms, whatever the device would take."""
    monkeypatch.setattr(grid_attention, 'prefers_parts', lambda x: request.param)


@pytest.mark.usefixtures('_form')
def test_attention_on_a_grid():
    shapes = (2, 3, 7, 4), (2, 3, 6, 4), (2, 3, 6, 5), (2, 3, 7, 2), (2, 3, 7, 3)
    assert_as_published(
        attend_on_grid,
        lambda *tensors: attend_in_parts_as_published(*tensors)[0],
        *(random(*shape) for shape in shapes),
    )


def test_places_are_row_by_row():
    assert one_hot_places(2, 3, torch.empty(0)).tolist() == [
        [1, 0, 1, 0, 0],
        [0, 1, 1, 0, 0],
        [1, 0, 0, 1, 0],
        [0, 1, 0, 1, 0],
        [1, 0, 0, 0, 1],
        [0, 1, 0, 0, 1],
    ]


def energies(size, keys):
    """Of the keys, the values, and the energies of columns and rows, on maps of both sizes."""
    return (
        random(2, 3, *keys),
        random(2, 3, *keys, 5),
        random(3, size[1], keys[1]),
        random(3, size[0], keys[0]),
    )


@pytest.mark.parametrize('size, keys', [((1, 1), (1, 1)), ((4, 5), (2, 3)), ((5, 1), (3, 1))])
def test_two_steps(size, keys):
    assert_as_published(attend_separably, attend_separably_as_published, *energies(size, keys))


def test_two_steps_hide():
    """A window of columns and rows around every query."""
    index = torch.arange(4)
    hide = torch.zeros(1, 4, 4).double().masked_fill((index[:, None] - index).abs() > 1, float('-inf'))
    of_keys, value, of_columns, of_rows = energies((4, 4), (4, 4))

    def call(of):
        return lambda of_keys, value, columns, rows: of(of_keys, value, columns + hide, rows + hide)

    fast, published = call(attend_separably), call(attend_separably_as_published)
    assert_as_published(fast, published, of_keys, value, of_columns, of_rows)


@pytest.mark.parametrize('scale', [50, 200])
def test_nothing_vanishes(scale):
    """Terms so far apart that no product of their exponentials is left; the values and gradients of float64 are."""
    torch.manual_seed(0)
    of_keys, value, of_columns, of_rows = energies((6, 7), (6, 7))
    exact = [(x * scale).float().double() for x in (of_keys, of_columns, of_rows)]
    # A query whose column and row see the best keys of the others with weight zero.
    exact[1][:, 0], exact[2][:, 0], exact[0][:, :, 0, 0] = -scale, -scale, scale
    exact[1][:, 0, 3] = exact[2][:, 0, 3] = scale
    exact[0][:, :, 3, 3] = -scale
    results = []
    for of, dtype in ((attend_separably, torch.float32), (attend_separably_as_published, torch.float64)):
        keys, columns, rows = (x.to(dtype).requires_grad_() for x in exact)
        y = of(keys, value.to(dtype), columns, rows)
        weighting = torch.arange(y.numel(), dtype=dtype).view(y.shape).sin()
        results.append([y, *torch.autograd.grad((y * weighting).sum(), (keys, columns, rows))])
    for ours, theirs in zip(*results, strict=True):
        assert (ours - theirs).abs().max() <= 1e-6 * scale * theirs.abs().max()
