"""Attention with relative positions, axis by axis, is that with an embedding for every pair."""

import pytest
import torch

from attn_plugins.ops.augmented_attention import (
    append_channels,
    relative_attention,
    relative_attention_as_published,
    relative_embeddings,
)
from tests.ops.compare import assert_as_published, random


@pytest.mark.parametrize('size', [(1, 1), (3, 5)])
@pytest.mark.parametrize('reach', [1, 3, 9])
def test_relative_attention(size, reach):
    """Tables that end within the map, at its border and beyond it."""
    tensors = [random(2, 2, 4, *size), random(2, 2, 4, *size), random(2, 2, 3, *size)]
    tables = [random(2 * reach - 1, 4), random(2 * reach - 1, 4)]
    assert_as_published(relative_attention, relative_attention_as_published, *tensors, *tables)


def test_an_embedding_is_found_by_key_minus_query():
    table = torch.arange(5.0)[:, None]  # the offsets -2 to 2
    assert relative_embeddings(table, 4)[..., 0].tolist() == [
        [2, 3, 4, 4],
        [1, 2, 3, 4],
        [0, 1, 2, 3],
        [0, 0, 1, 2],
    ]


@pytest.mark.parametrize('memory_format', [torch.contiguous_format, torch.channels_last])
def test_appended_channels_take_the_maps_dtype_and_memory_format(memory_format):
    x = torch.randn(2, 3, 4, 5).contiguous(memory_format=memory_format)
    y = append_channels(x, torch.randn(2, 2, 4, 5).double())
    assert y.shape == (2, 5, 4, 5) and y.dtype == x.dtype
    assert y.is_contiguous(memory_format=memory_format)
