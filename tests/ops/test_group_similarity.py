"""SGE's gate in few passes is the published formula, with its gradients."""

from functools import partial

from attn_plugins.ops.fused import fused
from attn_plugins.ops.group_similarity import SimilarityGate, similarity_gate_as_published
from tests.ops.compare import assert_as_published, random


def test_similarity_gate():
    op = SimilarityGate(groups=2, eps=1e-5, unbiased=True)
    tensors = random(3, 6, 4, 5), random(2), random(2)
    published = partial(similarity_gate_as_published, eps=1e-5)
    assert_as_published(partial(fused, op), published, *tensors)
    assert_as_published(op.formula, published, *tensors)
