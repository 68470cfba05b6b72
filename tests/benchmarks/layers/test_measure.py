"""What is measured of a layer: only what is equal is timed and compared, and the rows hold what they say."""

import pytest
import torch
from torch import nn

from attn_plugins.insertion.tree import inserted_layers
from benchmarks.layers import measure as measuring
from benchmarks.layers.lower_bounds import LOWER_BOUNDS
from benchmarks.layers.measure import (
    CASES,
    COMPILED,
    EAGER,
    Contender,
    Measured,
    contenders_of,
    measure,
    time_in_turn,
)
from benchmarks.layers.networks import EAGER as EAGER_NETWORK
from benchmarks.layers.networks import LAYERS, WHOLE, build_network, measure_networks, prepared
from benchmarks.layers.references import AUTHORS, REFERENCES, TIMM, Reference
from tests.stack import TORCH_2_1

SHAPE = (2, 32, 7, 8)
BY_NAME = {case.name: case for case in CASES}


class Twice(nn.Module):
    """Not what SE computes."""

    def __init__(self, like: nn.Module):
        super().__init__()
        self.like = like

    def forward(self, x):
        return 2 * self.like(x)


def wrong() -> Reference:
    (right,) = [rival for rival in REFERENCES['SE'] if rival.source == AUTHORS]
    names = {f'like.{name}': ours for name, ours in right.names.items()}
    return Reference(TIMM, lambda layer: Twice(right.build(layer)), names)


def test_a_wrong_rival_is_not_timed_and_not_compared(monkeypatch):
    (right,) = [rival for rival in REFERENCES['SE'] if rival.source == AUTHORS]
    monkeypatch.setitem(measuring.REFERENCES, 'SE', [right, wrong()])
    (row,) = measure([BY_NAME['SE']], SHAPE, repeats=2, compile_it=False)
    assert row.contenders[AUTHORS].equal and row.speed_up(EAGER, AUTHORS) > 0
    assert not row.contenders[TIMM].equal and row.contenders[TIMM].error == pytest.approx(1)
    assert row.contenders[TIMM].milliseconds == [] and row.speed_up(EAGER, TIMM) is None
    assert set(row.kept) == {EAGER, AUTHORS}


def test_a_speed_up_is_the_ratio_of_medians_of_what_is_equal():
    def contender(way, milliseconds, equal=True):
        return Contender(way, nn.Identity(), equal=equal, milliseconds=milliseconds)

    found = [contender(EAGER, [1, 2, 9]), contender(AUTHORS, [5, 6, 7]), contender(TIMM, [5, 6, 7], False)]
    row = Measured('', [], 1, {}, None, None, {}, {c.way: c for c in found})
    assert row.speed_up(EAGER, AUTHORS) == 3
    assert row.speed_up(EAGER, TIMM) is None and row.speed_up(COMPILED, AUTHORS) is None
    assert found[0].quartiles() == (1.5, 2, 5.5)


def test_each_round_times_all_once_and_not_always_in_one_order(monkeypatch):
    order = []
    monkeypatch.setattr(measuring.Step, '__call__', lambda step: order.append(type(step.module).__name__))
    contenders = [Contender('a', nn.ReLU()), Contender('b', nn.Sigmoid())]
    rounds, before = [], 0

    def tick():
        nonlocal before
        rounds.append(order[before])  # a timer may call a step several times
        before = len(order)

    time_in_turn(contenders, torch.randn(SHAPE), repeats=8, tick=tick)
    pairs = [tuple(rounds[i : i + 2]) for i in range(0, 16, 2)]
    assert {*pairs} == {('ReLU', 'Sigmoid'), ('Sigmoid', 'ReLU')}
    assert all(len(contender.milliseconds) == 8 for contender in contenders)


def test_a_library_that_is_not_there_is_named():
    def build(layer):
        import no_such_library  # noqa: F401

    (_, found) = contenders_of(
        BY_NAME['SE'], BY_NAME['SE'].build(SHAPE), torch.randn(SHAPE), False, [Reference(TIMM, build)]
    ).values()
    assert found.module is None and found.reason == 'no_such_library is not installed'


def test_every_case_that_is_a_gate_or_a_norm_has_a_floor():
    gates = {case.type for case in CASES if not case.pairwise}
    assert gates == set(LOWER_BOUNDS)
    for name in gates:
        case = BY_NAME[name]
        layer = case.build((8, 64, 16, 16))
        x = torch.randn(8, 64, 16, 16)
        counted = measuring.count_traffic(layer, x)
        floor = LOWER_BOUNDS[name]
        # A batch norm, one operator, counts 2 + 3.
        least = 5 if name == 'BatchNorm2d' else floor.forward + floor.backward - 3
        assert sum(counted.values()) >= least * 4 * x.numel(), name


@pytest.mark.skipif(TORCH_2_1, reason="torch 2.1's compiler has no such count")
def test_the_compiled_layer_is_checked_counted_and_timed():
    torch._dynamo.reset()
    (row,) = measure([BY_NAME['SE']], (4, 32, 16, 16), repeats=1)
    compiled = row.contenders[COMPILED]
    assert compiled.equal and len(compiled.milliseconds) == 1
    assert 0 < row.compiled_traffic['forward'] < row.traffic['forward'] + row.traffic['backward']
    assert row.speed_up(COMPILED, AUTHORS) > 0


SMALL = {'model.backbone.base_channels': 16, 'model.backbone.stem_channels': 16}


def build(name):
    return build_network('configs/resnet/resnet50_8xb32_in1k.py', name, options=SMALL)


def test_networks_are_measured_beside_the_plain_one():
    """What a GPU runs, with tiny sizes on a CPU."""
    found = list(
        measure_networks(
            build, ('none', 'SE', 'GeneralizedAttention 0010'), (EAGER_NETWORK,), (2,), 32, 1, 'cpu'
        )
    )
    assert [(e['network'], e['format']) for e in found] == [
        (name, layout) for layout in ('NCHW', 'NHWC') for name in ('none', 'SE', 'GeneralizedAttention 0010')
    ]
    for entry in found:
        assert len(entry['quartiles']) == 3 and entry['batch'] == 2 and entry['way'] == EAGER_NETWORK
        assert (entry['over_plain'] == 0) == (entry['network'] == 'none')


def test_networks_hold_the_layers_they_are_called_by():
    layers = {type(layer).__name__ for layer in inserted_layers(build('CoordAttention').backbone).values()}
    assert layers == {'CoordAttention'}
    attention = inserted_layers(build('GeneralizedAttention 0010').backbone).values()
    assert {layer.attention_type for layer in attention} == {'0010'}
    assert {
        layer.attention_type
        for layer in inserted_layers(build('GeneralizedAttention 1111').backbone).values()
    } == {'1111'}


@pytest.mark.skipif(TORCH_2_1, reason='torch 2.1 cannot be told how many graphs a function may have')
def test_ways_to_run_a_network():
    def compiled(network):
        whole = network._compiled_call_impl is not None
        return whole, {
            layer._compiled_call_impl is not None for layer in inserted_layers(network.backbone).values()
        }

    assert compiled(prepared(build('ECA'), EAGER_NETWORK)) == (False, {False})
    assert compiled(prepared(build('ECA'), LAYERS)) == (False, {True})
    assert compiled(prepared(build('ECA'), WHOLE)) == (True, {False})
