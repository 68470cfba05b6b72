"""The DCT of a map of any size."""

import itertools

import pytest
import torch
import torch.nn.functional as F

from attn_plugins.ops.dct import dct_factors, fit_bases, grouped_dct, grouped_dct_as_published, pool_matrix
from tests.ops.compare import assert_as_published, random


@pytest.mark.parametrize('size', [(5, 7), (1, 1), (1, 4), (9, 3), (20, 16)])
def test_folded_pooling_equals_pooling_the_map(size):
    rows, columns = dct_factors([0, 3, 6, 1], 7), dct_factors([0, 2, 4, 6], 14)
    assert_as_published(
        lambda x: grouped_dct(x, rows, columns),
        lambda x: grouped_dct_as_published(x, rows, columns),
        random(2, 8, *size),
    )


def test_the_dct_is_orthonormal():
    bases = dct_factors(list(range(9)), 9)
    torch.testing.assert_close(bases @ bases.T, torch.eye(9, dtype=torch.float64))


@pytest.mark.parametrize('inputs, outputs', list(itertools.product([1, 2, 5, 7, 16, 33], repeat=2)))
def test_pool_matrix_is_adaptive_average_pooling(inputs, outputs):
    x = random(3, 1, inputs)
    expected = F.adaptive_avg_pool1d(x, outputs)
    torch.testing.assert_close(x @ pool_matrix(outputs, inputs, x).T, expected)


def test_bases_of_the_maps_size_are_taken_as_they_are():
    rows = dct_factors([0, 1], 7)
    assert fit_bases(rows, 7) is rows
