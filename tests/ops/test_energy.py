"""SimAM's energy with the distance scaled before it is squared is the published one."""

from functools import partial

import pytest
import torch

from attn_plugins.ops.energy import inverse_energy, inverse_energy_as_published
from tests.ops.compare import assert_as_published, random


@pytest.mark.parametrize('e_lambda', [1e-4, 0.1])
def test_inverse_energy(e_lambda):
    assert_as_published(
        partial(inverse_energy, e_lambda=e_lambda),
        partial(inverse_energy_as_published, e_lambda=e_lambda),
        random(2, 3, 4, 5),
    )


def test_a_map_of_one_value_has_no_variance():
    assert torch.equal(inverse_energy(random(2, 3, 1, 1), 1e-4), torch.full((2, 3, 1, 1), 0.5).double())
