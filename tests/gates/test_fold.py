"""Folded models compute the same where gates are constant, and layers stay where that could not be."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from attn_plugins.gates.census import take_census
from attn_plugins.gates.fold import fold_layers
from attn_plugins.insertion import plug
from attn_plugins.insertion.tree import inserted_layers

SE = dict(type='attn_plugins.SE', reduction=4)


@torch.no_grad()
def constant(model: nn.Module) -> nn.Module:
    """Gives every SE and IEBN a gate that is the same for every image, and other in every channel; norms are not
    trivial.
    """
    for layer in inserted_layers(model).values():
        if type(layer).__name__ == 'IEBN':
            nn.init.zeros_(layer.gate_weight)
            nn.init.normal_(layer.gate_bias)
        elif type(layer).__name__ == 'SE':
            nn.init.zeros_(layer.excitation.fc2.weight)
            nn.init.normal_(layer.excitation.fc2.bias)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.running_var):
                tensor.uniform_(0.5, 1.5)
            for tensor in (module.bias, module.running_mean):
                tensor.normal_(std=0.2)
    model.eval()
    return model


def outputs(model: nn.Module, inputs: torch.Tensor) -> list[torch.Tensor]:
    with torch.no_grad():
        return tensors(model(inputs.clone()))


def tensors(found) -> list[torch.Tensor]:
    if isinstance(found, dict):
        found = list(found.values())
    return [part for each in found for part in tensors(each)] if isinstance(found, (tuple, list)) else [found]


def census_of(model: nn.Module, *inputs: torch.Tensor):
    batches = [dict(inputs=batch) for batch in inputs]
    return take_census(model, batches, lambda model, batch: outputs(model, batch['inputs']))


def fold(model: nn.Module, *inputs: torch.Tensor, **options):
    return fold_layers(model, census_of(model, *inputs), lambda model: outputs(model, inputs[0]), **options)


def check_exact(model: nn.Module, size: int = 48) -> list:
    """Folds every layer; the model without them computes the same, and has the plain host's keys."""
    inputs = torch.randn(2, 3, size, size)
    before = outputs(constant(model), inputs)
    report = fold(model, inputs, torch.randn(3, 3, size, size))
    assert [entry.reason for entry in report] == [''] * len(report) and report
    assert not inserted_layers(model)
    for a, b in zip(outputs(model, inputs), before, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5 * float(b.abs().max()))
    return report


def resnet(depth: int = 50, **options) -> nn.Module:
    from mmpretrain.models import ResNet

    return ResNet(depth, **options)


def test_after_conv3_goes_into_the_norm():
    model = plug(resnet(), [dict(cfg=SE, position='after_conv3')])
    report = check_exact(model)
    assert report[0].into == ['layer1.0.bn3 (the norm before it)']
    model.load_state_dict(resnet().state_dict())


def test_after_conv2_goes_through_the_relu_into_the_norm():
    report = check_exact(plug(resnet(), [dict(cfg=SE, position='after_conv2')]))
    assert report[0].into == ['layer1.0.bn2 (the norm before it, through relu)']


def test_after_a_relu6_it_goes_into_the_next_convolution():
    from mmpretrain.models import MobileNetV2

    report = check_exact(plug(MobileNetV2(widen_factor=0.25), [dict(cfg=SE, position='after_depthwise')]))
    assert report[0].into == ['layer1.0.conv.1.conv (the convolution behind it)']


def test_before_a_depthwise_convolution_each_channel_has_its_own_scale():
    from mmpretrain.models import MobileNetV2

    place = dict(position='after_expand', stages=(False, *[True] * 6))
    report = check_exact(plug(MobileNetV2(widen_factor=0.25), [dict(cfg=SE, **place)]))
    assert report[0].into == ['layer2.0.conv.1.conv (the convolution behind it)']


def test_a_grouped_convolution_takes_the_channels_of_each_group():
    host = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.Hardswish(), nn.Conv2d(8, 12, 3, groups=4), nn.Conv2d(12, 5, 1)
    )
    check_exact(plug(host, [dict(cfg=SE, after='1')]))


def test_a_convolution_with_a_bias_before_it():
    report = check_exact(
        plug(nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 5, 1)), [dict(cfg=SE, after='0')])
    )
    assert report[0].into == ['0 (the convolution before it)']


@pytest.mark.parametrize('norm', ['main', 'all'])
def test_iebn_leaves_its_batch_norm_in_its_place(norm):
    model = plug(resnet(18), [dict(cfg=dict(type='attn_plugins.IEBN'), norm=norm)])
    report = check_exact(model)
    assert report[0].into == ['bn1 (its weight)'] and type(model.bn1) is nn.BatchNorm2d
    model.load_state_dict(resnet(18).state_dict())


def test_several_layers_at_one_place_and_iebn_below():
    entries = [
        dict(cfg=SE, position='after_conv3'),
        dict(cfg=dict(SE, postfix='_2'), position='after_conv3'),
        dict(cfg=dict(type='attn_plugins.IEBN'), norm='main'),
    ]
    check_exact(plug(resnet(), entries))


def test_what_starts_as_the_identity_is_folded_as_far_as_it_has_come():
    model = plug(resnet(18), [dict(cfg=SE, position='after_conv2', start='identity')])
    iebn = [dict(cfg=dict(type='attn_plugins.IEBN'), norm='main', start='identity')]
    for host in (model, plug(resnet(18), iebn)):
        for name, parameter in host.named_parameters():
            if name.endswith('attn_start'):
                nn.init.constant_(parameter, 0.7)
        check_exact(host)


def test_a_layer_that_blocks_share_leaves_each_its_own_mean():
    """DIA's gate goes on from block to block, so every block has another, which is the same for every image here."""
    model = plug(resnet(), [dict(cfg=dict(type='attn_plugins.DIA'), position='after_conv3', share='stage')])
    with torch.no_grad():
        for layer in inserted_layers(model).values():
            for name, parameter in layer.named_parameters():
                if name.endswith('of_input.2.weight') or 'of_input' in name and parameter.dim() == 2:
                    nn.init.zeros_(parameter)
                elif parameter.dim() == 1:
                    nn.init.normal_(parameter)
    report = check_exact(model)
    assert len(report) == 4 and report[0].into[:2] == [
        'layer1.0.bn3 (the norm before it)',
        'layer1.1.bn3 (the norm before it)',
    ]


def test_a_shared_layer_that_varies_in_one_block_stays_in_all():
    model = constant(plug(resnet(18), [dict(cfg=SE, position='after_conv2', share='stage')]))
    inputs = torch.randn(2, 3, 32, 32)
    census = census_of(model, inputs)
    second = next(key for key in census if key.endswith('#2'))
    census[second].spread.add(torch.rand(4, census[second].channels, 1, 1), census[second].channels)
    report = fold_layers(model, census, lambda model: outputs(model, inputs))
    assert 'varies by' in report[0].reason and not report[0].into and not report[1].reason
    assert len(inserted_layers(model)) == 1


class Branches(nn.Module):
    """A convolution, a ReLU and whatever reads their map."""

    def __init__(self, read, act=F.relu, last=None):
        super().__init__()
        self.first, self.at, self.last = nn.Conv2d(3, 8, 1), nn.Identity(), last or nn.Conv2d(8, 4, 1)
        self.read, self.act = read, act

    def forward(self, x):
        return self.read(self, self.act(self.first(x)))


@pytest.mark.parametrize(
    ('read', 'options', 'sentence'),
    [
        (lambda m, x: m.last(m.at(x)) + x.mean(), {}, None),
        (lambda m, x: m.at(x) + x, {}, 'before it its map is read by add too, and behind it stands add'),
        (lambda m, x: F.relu(m.at(x)), dict(act=torch.sigmoid), 'before it stands sigmoid'),
        (lambda m, x: (y := m.at(x), m.last(y) + y.mean())[1], dict(act=F.relu6), 'behind it stands mean'),
        (
            lambda m, x: m.last(m.last(m.at(x))),
            dict(act=F.relu6, last=nn.Conv2d(8, 8, 1)),
            'used several times',
        ),
        (lambda m, x: m.last(m.at(m.at(x))), {}, 'each time with another map'),
        (lambda m, x: m.last(m.at(x)) + m.first(torch.ones(1, 3, 1, 1)).mean(), dict(act=F.relu), None),
        (lambda m, x: (x.__setitem__(0, 0.0), m.last(F.relu(m.at(x))))[1], {}, 'stands setitem'),
    ],
)
@torch.no_grad()
def test_nothing_is_merged_into_what_something_else_reads(read, options, sentence):
    model = constant(plug(Branches(read, **options), [dict(cfg=SE, after='at')]))
    inputs = torch.randn(2, 3, 6, 6)
    before = outputs(model, inputs)[0]
    (entry,) = fold(model, inputs)
    if sentence is None:  # what stands behind the layer took it, or it stays: either way nothing has changed
        assert not entry.into or 'behind' in entry.into[0]
    else:
        assert sentence in entry.reason and inserted_layers(model)
    torch.testing.assert_close(outputs(model, inputs)[0], before, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ('read', 'act', 'sentence'),
    [
        (
            lambda m, x: (y := m.at(x), m.last(y)),
            F.relu6,
            'behind it the model hands its map on, where nothing is seen',
        ),
        (lambda m, x: [m.last(y := m.at(x)), [y]], F.relu6, 'behind it the model hands its map on'),
        (
            lambda m, x: dict(a=m.last(y := m.at(x)), b=dict(c=y)),
            F.relu6,
            'behind it the model hands its map on',
        ),
        (lambda m, x: (m.at(x), x), lambda x: x, 'before it the model hands its map on without the gate'),
        (lambda m, x: (m.at(x), x), F.relu, 'before it the model hands its map on without the gate'),
        (
            lambda m, x: (m.at(F.relu(x)), x),
            lambda x: x,
            'before it the model hands its map on without the gate',
        ),
        (lambda m, x: (setattr(m, 'kept', y := m.at(x)), m.last(y))[1], F.relu6, 'behind it the model hands'),
        (
            lambda m, x: (setattr(m, 'kept', [y := m.at(x)]), m.last(y))[1],
            F.relu6,
            'behind it the model hands',
        ),
    ],
)
@torch.no_grad()
def test_a_map_that_is_handed_on_too_keeps_its_gate_or_stays_without(read, act, sentence):
    """What a model returns or keeps has readers that no pass of it shows."""
    model = constant(plug(Branches(read, act=act), [dict(cfg=SE, after='at')]))
    inputs = torch.randn(2, 3, 6, 6)
    before = outputs(model, inputs)
    (entry,) = fold(model, inputs)
    assert not entry.into and sentence in entry.reason and inserted_layers(model)
    for ours, theirs in zip(outputs(model, inputs), before, strict=True):
        assert torch.equal(ours, theirs)


class Levels(nn.Module):
    """A backbone of two levels, the first of which a convolution of a neck may read."""

    def __init__(self, lateral: bool):
        super().__init__()
        self.backbone = plug(
            resnet(base_channels=8, stem_channels=8, out_indices=(2, 3)),
            [dict(cfg=SE, position='stage_output', stages=(False, False, True, False))],
        )
        self.lateral = nn.Conv2d(128, 4, 1) if lateral else None

    def forward(self, x):
        first, second = self.backbone(x)
        return second if self.lateral is None else (self.lateral(first), second)


def test_a_level_of_a_backbone_keeps_its_gate_where_nothing_is_seen_to_read_it():
    """The next stage would take it, and the level, which heads may read in training alone, would be left without."""
    model = constant(Levels(lateral=False))
    inputs = torch.randn(2, 3, 48, 48)
    before = outputs(model.backbone, inputs)
    (entry,) = fold(model, inputs)
    assert 'behind it backbone hands its map on, where nothing is seen to read it' in entry.reason
    for ours, theirs in zip(outputs(model.backbone, inputs), before, strict=True):
        assert torch.equal(ours, theirs)
    report = check_exact(Levels(lateral=True))
    assert report[0].into == ['backbone.layer4.0.conv1 (the convolutions behind it)']


def test_weights_that_two_modules_have_are_left_alone():
    host = nn.Sequential(nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 1), nn.Flatten())
    host[1].weight = host[0].weight
    model = constant(plug(host, [dict(cfg=SE, after='0')]))
    (entry,) = fold(model, torch.randn(2, 8, 4, 4))
    assert 'used several times' in entry.reason


def test_a_negative_gate_does_not_pass_a_relu():
    host = nn.Sequential(nn.Conv2d(3, 8, 1), nn.ReLU(), nn.Conv2d(8, 4, 1))
    cfg = dict(type='attn_plugins.ChannelAttention', excitation='instance_enhance', gate='identity')
    model = plug(host, [dict(cfg=cfg, after='1')]).eval()
    inputs = torch.randn(2, 3, 6, 6)
    before = outputs(model, inputs)[0]  # the excitation starts at weight 0, bias -1
    (entry,) = fold(model, inputs)
    assert entry.into == ['2 (the convolution behind it)']
    torch.testing.assert_close(outputs(model, inputs)[0], before, rtol=1e-5, atol=1e-6)


@torch.no_grad()
def test_a_gate_that_varies_is_refused_with_its_spread_unless_forced():
    def model():
        torch.manual_seed(2)
        host = nn.Sequential(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 4, 1))
        plug(host, [dict(cfg=SE, after='0')])
        for part in (host[0].attn_layer.excitation.fc1, host[0].attn_layer.excitation.fc2):
            nn.init.normal_(part.weight, std=3)
        return host.eval()

    inputs = 3 * torch.randn(6, 3, 6, 6, generator=torch.Generator().manual_seed(0))
    refused, forced = model(), model()
    (entry,) = fold(refused, inputs)
    assert entry.reason == f'its gate varies by {entry.spread:.1%} between images and places, more than 5.0%'
    assert len(inserted_layers(refused)) == 1
    mean = census_of(forced, inputs)['0.attn_se'].spread.mean.float()
    weight = forced[0].weight.clone()
    (entry,) = fold(forced, inputs, force=True)
    assert entry.spread > 0.05 and not entry.reason
    torch.testing.assert_close(forced[0].weight, weight * mean[:, None, None, None])


def test_a_gate_of_places_is_refused_and_so_is_what_is_no_gate():
    host = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 1), nn.Conv2d(8, 4, 1))
    entries = [
        dict(cfg=dict(type='attn_plugins.SimAM'), after='0'),
        dict(cfg=dict(type='attn_plugins.GC', ratio=0.5), after='1'),
    ]
    simam, gc = fold(plug(host, entries).eval(), torch.randn(2, 3, 8, 8))
    assert 'varies by' in simam.reason and simam.spread > 0.05
    assert 'something else than multiply' in gc.reason and gc.spread is None


def test_named_layers_alone():
    model = constant(plug(resnet(18), [dict(cfg=SE, position='after_conv2')]))
    (entry,) = fold(model, torch.randn(2, 3, 32, 32), names=['layer2.0.bn2.attn_se'])
    assert entry.into == ['layer2.0.bn2 (the norm before it)'] and len(inserted_layers(model)) == 7
