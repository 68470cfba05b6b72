"""SE: count, start, bad input."""

import pytest
import torch

from tests.layers.helpers import count, make
from tests.layers.starts import assert_start, torch_default


@pytest.mark.parametrize(
    'options, number',
    [
        (dict(in_channels=64, reduction=16), 64 * 4 + 4 + 4 * 64 + 64),
        (dict(in_channels=64, reduction=16, bias=False), 2 * 64 * 4),
    ],
)
def test_parameter_counts_are_the_papers(options, number):
    assert count('SE', **options) == number


def test_start():
    """torch's default of a linear layer, as in hyunjaelee410/style-based-recalibration-module."""
    assert_start(
        'SE',
        {**torch_default('excitation.fc1', 64), **torch_default('excitation.fc2', 16)},
        in_channels=64,
        reduction=4,
    )


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(reduction=64), 'reduction=64 leaves 0 hidden channels for in_channels=32'),
        (dict(reduction=0), 'reduction=0 must be at least 1'),
    ],
)
def test_options_that_cannot_work_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make('SE', **{'in_channels': 32, **options})


def test_a_map_by_keyword_is_checked_and_compiles():
    layer = make('SE', in_channels=16, reduction=4).eval()
    with pytest.raises(ValueError, match='^SE was built for 16 channels'):
        layer(x=torch.zeros(2, 8, 5, 7))
    with pytest.raises(TypeError, match="'x'"):
        layer()
    x = torch.randn(2, 16, 5, 7)
    torch._dynamo.reset()
    compiled = torch.compile(layer, fullgraph=True, backend='aot_eager')
    torch.testing.assert_close(compiled(x=x), layer(x))
