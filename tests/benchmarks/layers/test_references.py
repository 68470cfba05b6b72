"""Every rival computes its layer's function: output and all gradients in float64, with the layer's weights."""

import pytest
import torch
from torch import nn

from benchmarks.layers.equality import TOLERANCE
from benchmarks.layers.measure import CASES, contenders_of
from benchmarks.layers.references import AUTHORS, OPENMMLAB, REFERENCES, TIMM, Reference

PAIRS = [(case, rival) for case in CASES for rival in REFERENCES.get(case.type, ())]


@pytest.mark.parametrize('case, rival', PAIRS, ids=[f'{case.name}-{rival.source}' for case, rival in PAIRS])
def test_equals_the_layer(case, rival):
    shape = (3, 64, 9, 8)
    x = torch.randn(shape)
    found = contenders_of(case, case.build(shape), x, compile_it=False, rivals=[rival])[rival.source]
    if found.module is None:
        pytest.skip(found.reason)
    assert found.equal and found.error <= TOLERANCE, found.differs


def test_sources():
    assert {rival.source for rivals in REFERENCES.values() for rival in rivals} == {AUTHORS, TIMM, OPENMMLAB}
    for rivals in REFERENCES.values():
        sources = [rival.source for rival in rivals]
        assert len(sources) == len(set(sources)), 'a table has one column for each'
    assert set(REFERENCES) <= {case.type for case in CASES}


def test_every_parameter_needs_a_partner():
    layer = nn.Linear(3, 2)
    with pytest.raises(ValueError, match='Linear.bias has no partner in the layer'):
        Reference(AUTHORS, lambda layer: nn.Linear(3, 2), {'weight': 'weight'}).with_weights_of(layer)
    with pytest.raises(ValueError, match='Linear has nothing for bias'):
        Reference(AUTHORS, lambda layer: nn.Linear(3, 2, bias=False), {'weight': 'weight'}).with_weights_of(
            layer
        )


def test_weights_are_copied_not_shared():
    layer = nn.Linear(3, 2).double()
    rival = Reference(AUTHORS, lambda layer: nn.Linear(3, 2), {'weight': 'weight', 'bias': 'bias'})
    copied = rival.with_weights_of(layer)
    assert torch.equal(copied.weight, layer.weight) and copied.weight.dtype == torch.float64
    layer.weight.data.zero_()
    assert copied.weight.abs().max() > 0
