"""What a layer starts as: the distribution of every parameter, in the words of the publication and not of the code."""

from collections.abc import Callable
from math import ceil

import torch
from scipy import stats

from attn_plugins.layers.state_dict_keys import Wrapper
from tests.layers.check import scramble
from tests.layers.helpers import make

# Of so many values the Kolmogorov-Smirnov test notices a deviation that is off by 10 %. A start that is right fails
# with this chance; the seed is fixed.
VALUES = 40_000
CHANCE = 1e-6

Start = dict[str, float | stats.rv_continuous]


def normal(std: float) -> stats.rv_continuous:
    """N(0, std^2)."""
    return stats.norm(scale=std)


def uniform(bound: float) -> stats.rv_continuous:
    """Evenly between -bound and bound."""
    return stats.uniform(-bound, 2 * bound)


def kaiming(fan: int) -> stats.rv_continuous:
    """N(0, 2 / fan), the start of a ResNet's convolutions."""
    return normal((2 / fan) ** 0.5)


def glorot(fan_in: int, fan_out: int) -> stats.rv_continuous:
    """Even, with the variance 2 / (fan_in + fan_out)."""
    return uniform((6 / (fan_in + fan_out)) ** 0.5)


def variance_scaling(fan_in: int) -> stats.rv_continuous:
    """TensorFlow's default: a normal that is cut off at two deviations, with the variance 1 / fan_in after the cut."""
    return stats.truncnorm(-2, 2, scale=fan_in**-0.5 / stats.truncnorm(-2, 2).std())


def torch_default(name: str, fan_in: int, bias: bool = True) -> Start:
    """What torch gives a linear layer or a convolution: all its values evenly up to 1 / sqrt(fan_in)."""
    start = {f'{name}.weight': uniform(fan_in**-0.5)}
    return {**start, f'{name}.bias': uniform(fan_in**-0.5)} if bias else start


def plain_norm(name: str, weight: float = 1) -> Start:
    """A batch norm or layer norm: a plain one, or one whose weight starts at another value."""
    return {f'{name}.weight': weight, f'{name}.bias': 0}


def assert_start(name: str, start: Start, **options) -> None:
    """A new layer starts as said, and so does one with other weights after `init_weights`.

    Args:
        name (str): The layer's type without the scope.
        start (Start): A number or a distribution for every parameter; of a norm layer for those that it adds.
        options: Of the layer, its channels among them.
    """
    torch.manual_seed(0)
    assert_drawn_from(lambda: make(name, **options), start, most=100)
    used = make(name, **options)
    scramble(used)

    def restored() -> torch.nn.Module:
        used.init_weights()
        return used

    assert_drawn_from(restored, start)


def assert_drawn_from(draw: Callable[[], torch.nn.Module], start: Start, most: int = VALUES) -> None:
    """Every parameter of the modules that `draw` gives has the value, or comes from the distribution, of `start`.

    Args:
        draw (Callable): Gives a module at its start, another draw at every call.
        start (Start): A number or a distribution for every parameter.
        most (int): Draws at most; parameters of few values are then tested less sharply.
    """
    values = parameters(draw())
    assert values.keys() == start.keys(), f'the start of {values.keys() ^ start.keys()} is not stated'
    random = {key for key in start if not isinstance(start[key], (int, float))}
    for key in start.keys() - random:
        assert (values[key] == start[key]).all(), f'{key} does not start at {start[key]}'
    needed = {key: ceil(VALUES / values[key].numel()) for key in random}
    drawn = {key: [] for key in random}
    for number in range(min(most, max(needed.values(), default=0))):
        values = parameters(draw())
        for key in random:
            if number < needed[key]:
                drawn[key].append(values[key].detach().flatten().clone())
    for key, parts in drawn.items():
        sample = torch.cat(parts).double()
        found = stats.kstest(sample.numpy(), start[key].cdf)
        assert found.pvalue > CHANCE, (
            f'{key} has the deviation {sample.std():.4g} and the largest value {sample.abs().max():.4g}, but '
            f'{start[key].std():.4g} and at most {start[key].support()[1]:.4g} are published'
        )


def parameters(layer: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The parameters by name; those of the batch norm inside a norm layer are the host's matter."""
    if isinstance(layer, Wrapper):
        return {key: layer.state_dict()[key] for key in layer.attn_own_keys()}
    return dict(layer.named_parameters())
