"""Insertion is free: a plugged host runs the operations of one that has the same layers written into its blocks, no
other.
"""

from collections import Counter

import pytest
import torch

from attn_plugins.compat import TorchDispatchMode
from benchmarks.insertion import HOSTS, LAYERS, STEPS, plugged_and_by_hand


class Operations(TorchDispatchMode):
    """Counts torch's operations."""

    def __init__(self):
        super().__init__()
        self.counts = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.counts[str(func)] += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize('step', STEPS)
@pytest.mark.parametrize('layer', LAYERS)
@pytest.mark.parametrize('host', HOSTS)
def test_operations_are_those_of_the_layers_written_by_hand(host, layer, step):
    counts, results = [], []
    x = torch.randn(1, 3, 64, 64)
    for model in plugged_and_by_hand(host, layer):
        with Operations() as operations:
            results.append(STEPS[step](model, x)[0])
        counts.append(operations.counts)
    assert torch.equal(*results)
    assert counts[0] == counts[1]
    assert counts[0].total() > 100
