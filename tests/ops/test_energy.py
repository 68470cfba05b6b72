"""SimAM's gate in few passes is the published formula, with its gradients."""

from functools import partial

import pytest
import torch

from attn_plugins.ops.energy import EnergyGate, energy_gate_as_published
from attn_plugins.ops.fused import fused
from tests.ops.compare import assert_as_published, random


@pytest.mark.parametrize('e_lambda', [1e-4, 0.1])
def test_energy_gate(e_lambda):
    published = partial(energy_gate_as_published, e_lambda=e_lambda)
    x = random(2, 3, 4, 5)
    assert_as_published(partial(fused, EnergyGate(e_lambda)), published, x)
    assert_as_published(EnergyGate(e_lambda).formula, published, x)


def test_a_map_of_one_value_has_no_variance():
    x = random(2, 3, 1, 1)
    torch.testing.assert_close(fused(EnergyGate(1e-4), x), x * torch.sigmoid(torch.tensor(0.5).double()))
