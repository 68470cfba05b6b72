"""A census of models whose gates are known beforehand: each depends on the image, the channel or the place alone."""

import math

import pytest
import torch
from mmengine.structures import BaseDataElement
from torch import nn

from attn_plugins.errors import UserError
from attn_plugins.gates.census import take_census
from attn_plugins.gates.gate_statistics import Saturation, Spread
from attn_plugins.insertion import plug
from attn_plugins.layers.layer import Layer

CHANNELS = 4


class KnownGate(Layer):
    """x * gate with a gate that is written here: 0.5 + 0.1 times the number of the image, channel or row."""

    _abbr_ = 'attn_known'

    def __init__(self, in_channels: int, of: str = 'channels', factor: float = 1.0):
        super().__init__(in_channels)
        self.axis, self.factor = ['images', 'channels', 'rows'].index(of), factor

    def forward(self, x):
        shape = [1, 1, 1, 1]
        shape[self.axis] = x.shape[self.axis]
        return x * (self.factor * (0.5 + 0.1 * torch.arange(x.shape[self.axis])).view(shape))


def host(*layers, **options) -> nn.Module:
    model = nn.Sequential(nn.Conv2d(3, CHANNELS, 1), nn.Conv2d(CHANNELS, CHANNELS, 1))
    return plug(model, [dict(cfg=dict(cfg), after='0', **options) for cfg in layers]).eval()


def known(of: str, **options) -> nn.Module:
    return host(dict(type=KnownGate, of=of, **options))


def batch_of(*shape: int, labels=None) -> dict:
    samples = [BaseDataElement() for _ in range(shape[0])]
    for sample, label in zip(samples, labels or (), strict=False):
        sample.gt_label = torch.tensor([label])
    return dict(inputs=torch.randn(shape), data_samples=samples)


def call(model: nn.Module, batch: dict):
    return model(batch['inputs'])


def result_of(model: nn.Module, *batches: dict, **options) -> dict:
    (census,) = take_census(model, batches, call, **options).values()
    return census.result()


def std(count: int) -> float:
    """Of 0.5, 0.6, ..., divided by their number."""
    return 0.1 * math.sqrt((count**2 - 1) / 12)


@pytest.mark.parametrize(
    ('of', 'wanted', 'mean'),
    [
        ('images', dict(between_images=std(6), between_channels=0, between_places=0), 0.75),
        ('channels', dict(between_images=0, between_channels=std(CHANNELS), between_places=0), 0.65),
        ('rows', dict(between_images=0, between_channels=0, between_places=std(5)), 0.7),
    ],
)
def test_each_deviation_sees_what_it_is_of(of, wanted, mean):
    found = result_of(known(of), batch_of(6, 3, 5, 7))
    assert found['gate'] and found['samples'] == 6 and found['channels'] == CHANNELS
    assert found['deviations'] == pytest.approx(dict(wanted, total=sum(wanted.values())), abs=1e-6)
    assert found['mean'] == pytest.approx(mean)
    constant = of == 'channels'
    assert found['relative_spread'] == pytest.approx(0 if constant else sum(wanted.values()) / mean, abs=1e-6)
    assert found['channel_spread'] == pytest.approx(
        [found['deviations']['total'] * (not constant)] * CHANNELS, abs=1e-6
    )


def test_batches_add_up_to_what_one_pass_over_all_gates_gives():
    gates = [torch.rand(n, CHANNELS, h, w) for n, h, w in ((3, 4, 5), (1, 4, 5), (4, 4, 5))]
    spread = Spread()
    for part in gates:
        spread.add(part, CHANNELS)
    g = torch.cat(gates).double()
    means = g.mean((2, 3), keepdim=True)
    deviations = spread.deviations()
    assert deviations['total'] == pytest.approx(float(g.std(correction=0)), rel=1e-12)
    assert deviations['between_places'] == pytest.approx(float((g - means).square().mean().sqrt()), rel=1e-12)
    assert deviations['between_channels'] == pytest.approx(
        float(g.mean((0, 2, 3)).std(correction=0)), rel=1e-12
    )
    of_channels = (g - g.mean((0, 2, 3), keepdim=True)).square().mean((0, 2, 3)).sqrt()
    torch.testing.assert_close(spread.of_channels(), of_channels, rtol=1e-12, atol=0)


def test_images_of_several_sizes_count_the_same():
    spread = Spread()
    spread.add(torch.full((1, CHANNELS, 9, 9), 0.2), CHANNELS)
    spread.add(torch.full((1, CHANNELS, 2, 2), 0.6), CHANNELS)
    assert float(spread.mean.mean()) == pytest.approx(0.4)
    assert spread.deviations()['between_images'] == pytest.approx(0.2)


def test_saturated_gates_are_counted_within_the_range_between_whole_numbers():
    saturation = Saturation()
    saturation.add(torch.tensor([0.01, 0.049, 0.051, 0.5, 0.949, 0.951, 0.97, 0.99]).view(1, 8, 1, 1))
    assert saturation.result() == dict(range=[0, 1], low=2 / 8, high=3 / 8)
    saturation.add(torch.tensor([0.01, 0.09, 0.11, 1.0, 1.0, 1.0, 1.89, 1.95]).view(1, 8, 1, 1))
    assert saturation.result() == dict(range=[0, 2], low=5 / 16, high=1 / 16)
    one = Saturation()
    one.add(torch.ones(2, 1, 1, 1))
    assert one.result() == dict(range=[1, 2], low=1, high=0)


def test_the_distance_under_an_attack_is_relative_to_the_clean_gate():
    clean, attacked = known('channels'), known('channels', factor=1.25)
    attacked.load_state_dict(clean.state_dict())
    found = result_of(clean, batch_of(2, 3, 5, 5), attacked=dict(loud=attacked, none=known('channels')))
    assert found['distance'] == pytest.approx(dict(loud=0.25, none=0))


@torch.no_grad()
def test_the_distance_of_iebn_is_that_of_its_scale():
    """A shift of the map moves the gate, which sees it, and not what the batch norm makes of noise it does not see."""

    def model():
        host = nn.Sequential(nn.Conv2d(3, CHANNELS, 1), nn.BatchNorm2d(CHANNELS))
        plug(host, [dict(cfg=dict(type='attn_plugins.IEBN'), norm='all')]).eval()
        return host

    clean, attacked = model(), model()
    nn.init.normal_(clean[1].gate_weight)
    attacked.load_state_dict(clean.state_dict())
    attacked[0].bias += 1
    batch = batch_of(3, 3, 5, 5)

    def gate(host):
        return (host[0](batch['inputs']).mean((2, 3)) * host[1].gate_weight + host[1].gate_bias).sigmoid()

    wanted = float((gate(attacked) - gate(clean)).norm() / gate(clean).norm())
    found = result_of(clean, batch, attacked=dict(shifted=attacked))
    assert wanted > 0.05 and found['distance']['shifted'] == pytest.approx(wanted, rel=1e-5)


@torch.no_grad()
def test_a_shared_layer_has_a_line_for_each_block_and_its_numbers_begin_anew_with_every_pass():
    from mmpretrain.models import ResNet

    place = dict(position='block_output', stages=(True, False, False, False), share='stage')
    model = plug(ResNet(18), [dict(cfg=dict(type='attn_plugins.SE'), **place)])
    model.eval()
    twice = lambda model, batch: [model(batch['inputs']), model(batch['inputs'])]  # noqa: E731
    found = take_census(model, [batch_of(2, 3, 32, 32)], twice)
    assert list(found) == ['layer1.0.attn_se', 'layer1.0.attn_se #2']
    assert {census.result()['samples'] for census in found.values()} == {4}


@torch.no_grad()
def test_decisions_of_sem_by_class():
    model = host(dict(type='attn_plugins.SEM', reduction=2))
    switch = model[0].attn_layer.excitation.switch
    batch = batch_of(3, 3, 4, 4, labels=(7, 2, 7))
    z = model[0].wrapped(batch['inputs']).mean((2, 3))
    v = switch(z).sigmoid()
    found = result_of(model, batch)['decisions']
    assert list(found['7']) == ['fc', 'conv1d', 'instance_enhance'] and set(found) == {'all', '2', '7'}
    for name, rows in (('all', v), ('2', v[1:2]), ('7', v[[0, 2]])):
        torch.testing.assert_close(torch.tensor(list(found[name].values())), rows.mean(0))
    assert set(result_of(model, batch_of(2, 3, 4, 4))['decisions']) == {'all'}
    assert 'decisions' not in result_of(known('channels'), batch)


@torch.no_grad()
def test_a_layer_that_adds_is_listed_with_its_change():
    model = host(dict(type='attn_plugins.GC', ratio=0.5))
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.5)
    batch = batch_of(3, 3, 4, 4)
    x = model[0].wrapped(batch['inputs']).flatten(1)
    y = model[0](batch['inputs']).flatten(1)
    found = result_of(model, batch)
    assert not found['gate'] and 'mean' not in found
    assert found['relative_change'] == pytest.approx(
        float(((y - x).norm(dim=1) / x.norm(dim=1)).mean()), rel=1e-5
    )


@pytest.mark.parametrize(
    'entry',
    [
        dict(after='0', cfg=dict(type='attn_plugins.SE', reduction=2)),
        dict(norm='all', cfg=dict(type='attn_plugins.IEBN')),
    ],
)
def test_the_gate_of_a_layer_that_starts_as_the_identity_is_what_is_left_of_it(entry):
    host = nn.Sequential(nn.Conv2d(3, CHANNELS, 1), nn.BatchNorm2d(CHANNELS))
    model = plug(host, [dict(entry, start='identity')]).eval()
    assert result_of(model, batch_of(2, 3, 4, 4))['mean'] == 1
    (start,) = [p for name, p in model.named_parameters() if name.endswith('attn_start')]
    nn.init.constant_(start, 0.5)
    full = plug(nn.Sequential(nn.Conv2d(3, CHANNELS, 1), nn.BatchNorm2d(CHANNELS)), [entry]).eval()
    full.load_state_dict(model.state_dict(), strict=False)
    batch = batch_of(2, 3, 4, 4)
    wanted = 1 + 0.5 * (result_of(full, batch)['mean'] - 1)
    assert result_of(model, batch)['mean'] == pytest.approx(wanted, rel=1e-5)


def test_what_has_no_gates():
    with pytest.raises(UserError, match='tiny has no inserted layers, so no gates: choose a preset'):
        take_census(nn.Sequential(nn.Conv2d(3, 4, 1)), [batch_of(1, 3, 4, 4)], call, of='tiny')
    model = nn.Sequential(nn.Conv2d(16, 16, 3, padding=1))
    plug(
        model,
        [
            dict(
                cfg=dict(type='attn_plugins.AAConv', num_heads=2, key_channels=4, value_channels=4),
                replace='0',
            )
        ],
    )
    with pytest.raises(UserError, match='no inserted layers, so no gates'):
        take_census(model, [batch_of(1, 16, 4, 4)], call)
