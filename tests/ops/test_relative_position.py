"""Features of query and key give the term of position that an embedding of every difference gives."""

import pytest
import torch

from attn_plugins.ops.relative_position import (
    axis_weights,
    map_key_features,
    map_query_features,
    position_angles,
    relative_logits_as_published,
    visible_keys,
)
from tests.ops.compare import assert_as_published, random

LIKE = torch.empty(0, dtype=torch.float64)


@pytest.mark.parametrize('magnitude', [1.0, 2.5])
def test_map_features(magnitude):
    """Queries on every place of a 3 x 4 map, keys on every second."""
    angles = tuple(position_angles(length, magnitude, 8, LIKE) for length in (4, 3))
    key_angles = tuple(position_angles(length, 2 * magnitude, 8, LIKE) for length in (2, 2))

    def fast(query, weight_x, weight_y):
        features = map_query_features(query, (weight_x, weight_y), angles)
        return features @ map_key_features(key_angles).T

    def published(query, weight_x, weight_y):
        return relative_logits_as_published(query, (weight_x, weight_y), angles, key_angles)

    assert_as_published(fast, published, random(2, 2, 3, 4, 5), random(2, 5, 4), random(2, 5, 4))


@pytest.mark.parametrize('limited', [False, True])
def test_axis_weights(limited):
    """One axis is a map of one row, whose vertical term is switched off."""
    angles, key_angles = position_angles(5, 1.0, 8, LIKE), position_angles(3, 2.0, 8, LIKE)
    visible = visible_keys(5, 1, 3, 2, 1, None) if limited else torch.ones(5, 3, dtype=torch.bool)
    row = position_angles(1, 1.0, 8, LIKE)

    def published(query, weight):
        queries = query[None, :, None, None].expand(-1, -1, 1, 5, -1)
        weights, none = (weight, torch.zeros_like(weight)), (key_angles, row)
        logits = relative_logits_as_published(queries, weights, (angles, row), none)[0]
        return logits.masked_fill(~visible, float('-inf')).softmax(-1)

    assert_as_published(
        lambda query, weight: axis_weights(query, weight, angles, key_angles, visible if limited else None),
        published,
        random(2, 4),
        random(2, 4, 4),
    )


def test_the_window_is_rounded_outwards_to_the_keys():
    """Queries at every pixel, keys at 0, 2 and 4, one pixel to the left and two to the right, as in mmcv."""
    assert visible_keys(5, 1, 3, 2, 1, None).int().tolist() == [
        [1, 1, 0],
        [1, 1, 0],
        [1, 1, 1],
        [0, 1, 1],
        [0, 1, 1],
    ]
