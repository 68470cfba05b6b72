"""Gates are recovered from a pass as the layers compute them."""

import pytest
import torch
from torch import nn

from attn_plugins.errors import UserError
from attn_plugins.insertion import plug
from attn_plugins.visualization.gates import read_gates
from tests.visualization.models import TinyClassifier, network_of


def gates_of(type_, **options):
    """A classifier with a layer after its first ReLU, which leaves zeros; the layer, its input and its gates."""
    model = TinyClassifier()
    plug(model, [dict(cfg=dict(type=f'attn_plugins.{type_}', **options), after='backbone.1')])
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.5)
    network = network_of(model, 'mmpretrain')
    inputs = torch.randn(1, 3, 20, 32)
    (gate,) = read_gates(network, inputs)
    with torch.no_grad():
        x = model.backbone[0](inputs).relu()
    assert gate.type == type_ and (x == 0).any()
    return gate, network.model.backbone[1].attn_layer, x


@torch.no_grad()
def test_coordinate_attention_is_a_factor_per_row_and_per_column():
    gate, layer, x = gates_of('CoordAttention')
    strips = torch.cat([x.mean(3), x.mean(2)], 2)[..., None]
    rows, columns = layer.act(layer.norm(layer.conv1(strips))).split([10, 16], 2)
    wanted = layer.conv_h(rows).sigmoid() * layer.conv_w(columns).sigmoid().transpose(2, 3)
    torch.testing.assert_close(gate.factor, wanted[0], rtol=1e-5, atol=1e-5)
    assert gate.kind == 'strips' and gate.layer == 'backbone.1.attn_ca'


@torch.no_grad()
def test_channel_attention_is_a_factor_per_channel():
    gate, layer, x = gates_of('SE', reduction=2)
    wanted = layer.gate(layer.excitation(x.mean((2, 3))))[0]
    torch.testing.assert_close(gate.factor, wanted[:, None, None].expand(4, 10, 16), rtol=1e-5, atol=1e-5)
    assert gate.kind == 'channels'


@pytest.mark.parametrize(
    ('type_', 'options', 'kind'),
    [('CBAM', dict(reduction=2), 'values'), ('SimAM', {}, 'values'), ('SGE', dict(groups=2), 'values')],
)
def test_the_factor_is_what_the_map_was_multiplied_by(type_, options, kind):
    gate, layer, x = gates_of(type_, **options)
    with torch.no_grad():
        torch.testing.assert_close(x[0] * gate.factor, layer(x)[0], rtol=1e-5, atol=1e-5)
    assert gate.kind == kind


def test_a_layer_that_adds_is_no_gate():
    gate, layer, x = gates_of('GC', ratio=0.5)
    with torch.no_grad():
        change = (layer(x) - x).norm(dim=1) / x.norm(dim=1)
    assert gate.factor is None and gate.kind == 'none'
    seen = x.norm(dim=1) > 0
    torch.testing.assert_close(gate.change[None][seen], change[seen], rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_a_norm_layer_is_a_gate_on_its_batch_norm():
    model = TinyClassifier()
    model.backbone[1] = nn.BatchNorm2d(4)
    plug(model, [dict(cfg=dict(type='attn_plugins.IEBN'), norm='all')])
    network, inputs = network_of(model, 'mmpretrain'), torch.randn(1, 3, 20, 32)
    layer = model.backbone[1]
    nn.init.normal_(layer.gate_weight)
    x = model.backbone[0](inputs)
    (gate,) = read_gates(network, inputs)
    wanted = torch.sigmoid(layer.gate_weight * x.mean((2, 3)) + layer.gate_bias)[0]
    torch.testing.assert_close(gate.factor.mean((1, 2)), wanted, rtol=1e-5, atol=1e-5)
    assert gate.kind == 'channels'


def test_models_without_layers_and_layers_that_are_not_there():
    with pytest.raises(UserError, match='tiny has no inserted layers, so no gates'):
        read_gates(network_of(TinyClassifier(), 'mmpretrain'), torch.zeros(1, 3, 8, 8))
    model = plug(TinyClassifier(), [dict(cfg=dict(type='attn_plugins.SimAM'), after='backbone.1')])
    with pytest.raises(UserError, match=r"no inserted layer 'simam': .*backbone\.1\.attn_simam"):
        read_gates(network_of(model, 'mmpretrain'), torch.zeros(1, 3, 8, 8), ['simam'])
