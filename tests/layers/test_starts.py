"""The test of a start notices what it must: a deviation that is off by 10 %, another form, another mean."""

import pytest
import torch

from tests.layers.starts import assert_drawn_from, glorot, kaiming, normal, uniform, variance_scaling

DISTRIBUTIONS = {
    'normal': normal(0.01),
    'uniform': uniform(0.3),
    'kaiming': kaiming(9),
    'glorot': glorot(16, 64),
    'variance_scaling': variance_scaling(25),
}


def drawn(name: str, factor: float = 1, shift: float = 0):
    """Modules with one parameter of few values from a distribution, changed a little."""
    distribution, generator = DISTRIBUTIONS[name], torch.Generator().manual_seed(1)

    def draw() -> torch.nn.Module:
        evenly = torch.rand(400, generator=generator, dtype=torch.float64)
        values = torch.from_numpy(distribution.ppf(evenly.numpy()))
        module = torch.nn.Module()
        module.weight = torch.nn.Parameter(factor * values + shift * distribution.std())
        return module

    return draw


@pytest.mark.parametrize('name', DISTRIBUTIONS)
def test_the_distribution_itself_passes(name):
    assert_drawn_from(drawn(name), {'weight': DISTRIBUTIONS[name]})


@pytest.mark.parametrize('change', [dict(factor=0.9), dict(factor=1.1), dict(shift=0.1)], ids=str)
@pytest.mark.parametrize('name', DISTRIBUTIONS)
def test_ten_per_cent_are_noticed(name, change):
    with pytest.raises(AssertionError, match='weight has the deviation'):
        assert_drawn_from(drawn(name, **change), {'weight': DISTRIBUTIONS[name]})


def test_another_form_with_the_same_deviation_is_noticed():
    with pytest.raises(AssertionError, match='weight has the deviation'):
        assert_drawn_from(drawn('uniform'), {'weight': normal(0.3 / 3**0.5)})


def test_a_wrong_number_and_a_parameter_that_is_not_named_are_noticed():
    with pytest.raises(AssertionError, match='weight does not start at 0'):
        assert_drawn_from(drawn('normal'), {'weight': 0})
    with pytest.raises(AssertionError, match='bias'):
        assert_drawn_from(lambda: torch.nn.Linear(2, 3), {'weight': normal(1)})
