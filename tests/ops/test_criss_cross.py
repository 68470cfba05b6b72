"""Rows and columns as batches of products are the places that are seen one by one."""

import pytest

from attn_plugins.ops.criss_cross import criss_cross, criss_cross_as_published
from tests.ops.compare import assert_as_published, random


@pytest.mark.parametrize('size', [(1, 1), (1, 5), (4, 1), (4, 3)])
def test_criss_cross(size):
    tensors = random(2, 3, *size), random(2, 3, *size), random(2, 4, *size)
    assert_as_published(criss_cross, criss_cross_as_published, *tensors)
