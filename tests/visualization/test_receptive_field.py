"""The fields of plain convolutions are known: 3 x 3, and 5 x 5 for two."""

import pytest
import torch
from torch import nn

from attn_plugins.errors import UserError
from attn_plugins.insertion import plug
from attn_plugins.visualization.receptive_field import effective_size, fields_around, receptive_field
from tests.visualization.models import network_of


def convolutions(number, **options):
    model = nn.Sequential(*(nn.Conv2d(3, 3, 3, padding=1) for _ in range(number)))
    model = plug(model, **options) if options else model
    network = network_of(model, 'mmpretrain')
    network.samples = []
    return network


@pytest.mark.parametrize(('number', 'side'), [(1, 3), (2, 5)])
def test_convolutions_have_the_field_of_their_kernels(number, side):
    field = receptive_field(convolutions(number), [torch.randn(1, 3, 11, 13)] * 2, str(number - 1))
    rows, columns = field.nonzero().unbind(1)
    assert len(rows) == side**2
    assert (rows.min(), rows.max()) == (5 - side // 2, 5 + side // 2)
    assert (columns.min(), columns.max()) == (6 - side // 2, 6 + side // 2)
    assert effective_size(torch.ones(4, 9)) == 6


def test_coordinate_attention_widens_the_field_to_a_cross():
    layer = dict(cfg=dict(type='attn_plugins.CoordAttention'), after='0')
    network = convolutions(1, plugins=[layer])
    before, after = fields_around(network, [torch.randn(1, 3, 11, 13)], network.model[0].attn_layer)
    assert before.count_nonzero() == 9
    rows, columns = after.nonzero().unbind(1)
    # The centre's row and column, one pixel wider to each side by the convolution before.
    assert ((rows - 5).abs().le(1) | (columns - 6).abs().le(1)).all()
    assert after.count_nonzero() == 3 * 13 + 3 * 11 - 9


def test_inputs_of_several_sizes_have_no_centre():
    with pytest.raises(UserError, match='8 × 8 and 9 × 8 pixels has no centre'):
        receptive_field(convolutions(1), [torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 9, 8)], '0')
