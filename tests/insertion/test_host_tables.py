"""The table of hosts and positions: each cell is built, runs once per block, stage or level, and is trained a step."""

import pytest
import torch
from mmengine.registry import MODELS
from torch import nn

from attn_plugins import InsertionError, inserted_layers, plug
from attn_plugins.insertion.host_tables import POSITIONS
from attn_plugins.insertion.locate import InsertionPoints
from tests.insertion.families import FAMILIES, Family

CELLS = [(name, position) for name in FAMILIES for position in POSITIONS]
THERE = [cell for cell in CELLS if isinstance(FAMILIES[cell[0]].places[cell[1]], int)]
NOT_THERE = [cell for cell in CELLS if cell not in THERE]


class Scale(nn.Module):
    """A layer of a user, without `init_weights`: y = x * scale."""

    _abbr_ = 'scale'

    def __init__(self, in_channels: int):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(in_channels, 1, 1))

    def forward(self, x):
        assert x.dim() == 4
        return x * self.scale


def entry_of(host: nn.Module, position: str, **cfg) -> dict:
    """An entry for all blocks that have the position."""
    stages = None if position == 'level_output' else InsertionPoints(host).having(position)
    return dict(cfg=dict(type=Scale, **cfg), position=position, stages=stages)


def outputs(family: Family, model: nn.Module, x) -> list[torch.Tensor]:
    """All maps that are handed on."""
    y = model(x) if isinstance(family.inputs, int) else model(list(x))
    return [part for part in (y if isinstance(y, (tuple, list)) else [y]) if isinstance(part, torch.Tensor)]


@pytest.mark.parametrize('name', FAMILIES)
def test_every_cell_of_a_family(name):
    """All positions of a host at once: counts, calls, keys, and a step that reaches every layer."""
    family = FAMILIES[name]
    torch.manual_seed(0)
    host = family.host()
    x = family.example()
    plain = outputs(family, host, x)
    state = {key: value.clone() for key, value in host.state_dict().items()}
    positions = [position for at, position in THERE if at == name]
    entries = [entry_of(host, position, postfix='_' + position) for position in positions]
    model = plug(host, entries)
    layers = inserted_layers(model)
    for position in positions:
        found = [key for key in layers if key.endswith('scale_' + position)]
        assert len(found) == family.places[position], (position, found)
    now = model.state_dict()
    assert state.keys() <= now.keys() and all(torch.equal(now[key], value) for key, value in state.items())
    calls = dict.fromkeys(layers, 0)
    for key, layer in layers.items():
        layer.register_forward_hook(lambda *_, key=key: calls.update({key: calls[key] + 1}))
    y = outputs(family, model, x)
    assert set(calls.values()) == {1}, {key: n for key, n in calls.items() if n != 1}
    for one, other in zip(y, plain, strict=True):
        assert torch.equal(one, other)
    sum(part.square().sum() for part in y).backward()
    assert all(p.grad is not None for layer in layers.values() for p in layer.parameters())


@pytest.mark.parametrize('name', FAMILIES)
def test_what_a_host_cannot_have_is_refused_with_what_it_has(name):
    family = FAMILIES[name]
    host = family.host()
    for position in POSITIONS:
        if (name, position) in NOT_THERE:
            with pytest.raises(InsertionError) as caught:
                plug(host, [dict(cfg=dict(type=Scale), position=position)])
            assert '\n' not in str(caught.value) and not inserted_layers(host)


@pytest.mark.parametrize('name', FAMILIES)
def test_every_stage_is_found(name):
    family = FAMILIES[name]
    assert len(InsertionPoints(family.host()).stages) == family.stages


@pytest.mark.parametrize(
    'host, position, message',
    [
        (
            dict(type='mmseg.PIDNet', channels=8, ppm_channels=8),
            'after_conv3',
            'blocks of PIDNet that the entry names have no',
        ),
        (
            dict(type='mmdet.MobileNetV2', widen_factor=0.25),
            'after_expand',
            r"1 of the 17 blocks of MobileNetV2 that the entry names have no 'after_expand' \(layer1.0\): name "
            r'those that '
            r'have it, stages=\(False, True, True, True, True, True, True\)',
        ),
        (
            FAMILIES['mmdet HRNet'].build,
            'after_conv3',
            r'9 of the 11 blocks of HRNet .* stages=\(True, False, False, False\)',
        ),
        (
            FAMILIES['mmdet Res2Net'].build,
            'after_conv1',
            "has no position 'after_conv1': did you mean after_conv",
        ),
    ],
    ids=['PIDNet', 'MobileNetV2', 'HRNet', 'Res2Net'],
)
def test_blocks_are_never_skipped_in_silence(host, position, message):
    with pytest.raises(InsertionError, match=message):
        plug(MODELS.build(dict(host)), [dict(cfg=dict(type=Scale), position=position)])


def test_a_place_that_only_some_families_of_one_name_have():
    """ShuffleNetV2's blocks have the bare name of MobileNetV2's."""
    family = FAMILIES['mmpretrain ShuffleNetV2']
    host = family.host()
    layers = inserted_layers(plug(host, [dict(cfg=dict(type=Scale), position='after_depthwise')]))
    assert len(layers) == 16
    with pytest.raises(InsertionError, match="has no position 'after_expand'"):
        plug(host, [dict(cfg=dict(type=Scale), position='after_expand')])
