"""Every form of attention with relative positions is that with the embedding of every difference."""

import pytest
import torch

from attn_plugins.ops import generalized_attention
from attn_plugins.ops.generalized_attention import (
    attend_along_sequence,
    attend_along_sequence_as_published,
    attend_with_positions,
    attend_with_positions_as_published,
)
from attn_plugins.ops.relative_position import position_angles, visible_keys
from tests.ops.compare import assert_as_published, random

LIKE = torch.empty(0, dtype=torch.float64)


@pytest.fixture(params=['parts', 'rotated', 'one-hot'])
def _form(request, monkeypatch):
    """All forms, whatever the device and the sizes would take."""
    monkeypatch.setattr(generalized_attention, 'prefers_parts', lambda x: request.param == 'parts')
    monkeypatch.setattr(generalized_attention, '_rotates', lambda *_: request.param == 'rotated')


@pytest.mark.usefixtures('_form')
@pytest.mark.parametrize('limited', [False, True])
@pytest.mark.parametrize('content', [False, True])
@pytest.mark.parametrize('everywhere', [False, True])
@pytest.mark.parametrize('height, width', [(1, 1), (3, 5), (4, 4)])
def test_all_forms(limited, content, everywhere, height, width):
    """Queries on every place, keys on every second; vectors of every place or one for all."""
    keys = [(length + 1) // 2 for length in (width, height)]
    angles = tuple(position_angles(length, 1.0, 8, LIKE) for length in (width, height))
    key_angles = tuple(position_angles(length, 2.0, 8, LIKE) for length in keys)
    axes = zip((width, height), keys, strict=True)
    visible = tuple(visible_keys(length, 1, m, 2, 1, None) if limited else None for length, m in axes)
    places = 1 if content and everywhere else height * width
    grid = (1, 1) if everywhere else (height, width)
    of_content = [random(2, 3, places, 4), random(2, 3, keys[0] * keys[1], 4)] if content else []

    def call(of):
        def attend(value, vectors, weight_x, weight_y, *content):
            query, key = content or (None, None)
            return of(query, key, value, vectors, (weight_x, weight_y), angles, key_angles, visible)

        return attend

    assert_as_published(
        call(attend_with_positions),
        call(attend_with_positions_as_published),
        random(2, 3, keys[0] * keys[1], 6),
        random(1 if everywhere else 2, 3, *grid, 5),
        random(3, 5, 4),
        random(3, 5, 4),
        *of_content,
    )


def test_the_narrower_features_are_taken():
    weights = (torch.empty(1, 5, 4),) * 2  # D = 8
    for keys, rotated in ((3, False), (4, False), (5, True)):
        key_angles = (torch.empty(keys, 2),) * 2
        assert generalized_attention._rotates(weights, key_angles) is rotated


@pytest.mark.parametrize('masked', [False, True])
@pytest.mark.parametrize('content', [False, True])
@pytest.mark.parametrize('everywhere', [False, True])
@pytest.mark.parametrize('length, key_length, start', [(1, 1, 0), (4, 6, 0), (2, 5, 3)])
def test_along_a_sequence(masked, content, everywhere, length, key_length, start):
    """Queries from position 0 or 3 on, as where a sequence is read on; every query sees one key at least."""
    angles, key_angles = (
        position_angles(9, 1.0, 8, LIKE)[start : start + length],
        position_angles(key_length, 1.0, 8, LIKE),
    )
    mask = torch.rand(2, 1, length, key_length) < 0.5 if masked else None
    if masked:
        mask[..., 0] = True
    samples, places = (1, 1) if everywhere else (2, length)
    of_content = [random(samples, 3, places, 4), random(2, 3, key_length, 4)] if content else []

    def call(of):
        def attend(value, vectors, weight, *content):
            query, key = content or (None, None)
            return of(query, key, value, vectors, weight, angles, key_angles, mask)

        return attend

    assert_as_published(
        call(attend_along_sequence),
        call(attend_along_sequence_as_published),
        random(2, 3, key_length, 6),
        random(samples, 3, places, 5),
        random(3, 5, 4),
        *of_content,
    )
