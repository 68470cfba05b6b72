"""Attention maps of small models are those computed by hand, at the layers that the user or the stages name."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from attn_plugins.errors import UserError
from attn_plugins.insertion import plug
from attn_plugins.models.backbones.nin import NIN
from attn_plugins.models.backbones.preact_resnet import WideResNet
from attn_plugins.visualization.attention_maps import attention_maps, layers_of_each, stage_ends
from tests.visualization.models import TinyClassifier, network_of, picture_of

INPUTS = torch.randn(1, 3, 20, 32, generator=torch.Generator().manual_seed(0))


def by_hand(x, kind, p):
    """Of (1, C, 10, 16), in the size of the inputs."""
    powers = x[0].abs().double() ** p
    map_ = powers.sum(0) if kind == 'sum' else powers.amax(0)
    return (map_ / map_.max()).repeat_interleave(2, 0).repeat_interleave(2, 1).numpy()


@pytest.mark.parametrize('kind', ['sum', 'max'])
def test_a_map_of_each_power_as_a_share_of_its_largest(kind):
    model = TinyClassifier()
    (maps,) = attention_maps(
        network_of(model, 'mmpretrain'), picture_of(INPUTS), ['backbone.0'], kind, (1, 2, 4)
    )
    with torch.no_grad():
        x = model.backbone[0](INPUTS)
    assert (maps.layer, maps.size) == ('backbone.0', (10, 16)) and (x < 0).any()
    for heat, p in zip(maps.heats, (1, 2, 4), strict=True):
        np.testing.assert_allclose(heat, by_hand(x, kind, p), rtol=1e-5, atol=1e-7)


def test_a_name_means_the_output_behind_what_was_put_in_there():
    model = plug(TinyClassifier(), [dict(cfg=dict(type='attn_plugins.SimAM'), after='backbone.0')])
    (maps,) = attention_maps(network_of(model, 'mmpretrain'), picture_of(INPUTS), ['backbone.0'])
    with torch.no_grad():
        before = model.backbone[0].wrapped(INPUTS)
        after = model.backbone[0](INPUTS)
    np.testing.assert_allclose(maps.heats[0], by_hand(after, 'sum', 2), rtol=1e-5, atol=1e-7)
    assert not np.allclose(maps.heats[0], by_hand(before, 'sum', 2), rtol=1e-2)


def test_what_the_network_does_not_see_is_no_part_of_the_largest():
    """The inputs' right half is padding: the image is the left one, and its largest value is 1."""
    model, picture = TinyClassifier(), picture_of(INPUTS)
    inputs = torch.cat([INPUTS[..., :16], 100 * INPUTS[..., 16:]], 3)
    region = type(picture.region)((1.0, 0.0), (1.0, 0.0), (slice(0, 20), slice(0, 16)))
    picture = SimpleNamespace(inputs=inputs, region=region, pixels=np.zeros((20, 16, 3)))
    ((heat,),) = (
        maps.heats
        for maps in attention_maps(network_of(model, 'mmpretrain'), picture, ['backbone.0'], powers=[1])
    )
    assert heat.shape == (20, 16) and heat.max() == 1


def test_a_dead_layer_is_black_and_not_nan():
    model = TinyClassifier()
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    (maps,) = attention_maps(network_of(model, 'mmpretrain'), picture_of(INPUTS), ['backbone.1'])
    assert (maps.heats[0] == 0).all()


@pytest.mark.parametrize(
    ('layer', 'sentence'),
    [
        ('backbone.00', r"tiny has no layer 'backbone\.00': did you mean backbone\.0"),
        ('head', r'head gives no map \(N, C, H, W\) but \(1, 5\)'),
    ],
)
def test_layers_without_a_map(layer, sentence):
    with pytest.raises(UserError, match=sentence):
        attention_maps(network_of(TinyClassifier(), 'mmpretrain'), picture_of(INPUTS), [layer])


class Staged(nn.Module):
    """A backbone of 8 x 8 convolutions whose class declares its stages."""

    attn_stages = ('stage*',)

    def __init__(self, number):
        super().__init__()
        for i in range(number):
            self.add_module(f'stage{i}', nn.Identity())


def subject(backbone, name='model'):
    return SimpleNamespace(name=name, model=nn.ModuleDict(dict(backbone=backbone, neck=Staged(3))))


@pytest.mark.parametrize(
    ('number', 'chosen'), [(1, [0]), (2, [0, 1]), (3, [0, 1, 2]), (4, [0, 2, 3]), (7, [0, 3, 6])]
)
def test_low_mid_and_high_are_stages_of_the_backbone(number, chosen):
    assert stage_ends(subject(Staged(number))) == [f'backbone.stage{i}' for i in chosen]


def test_student_and_teacher_of_the_paper_have_three_stages_each():
    subjects = [subject(WideResNet(16)), subject(WideResNet(40, 2)), subject(NIN())]
    assert layers_of_each(subjects) == [['backbone.layer1', 'backbone.layer2', 'backbone.layer3']] * 3


def test_layers_are_named_once_for_all_models_or_once_for_each():
    subjects = [subject(Staged(3), 'student'), subject(Staged(4), 'teacher')]
    assert layers_of_each(subjects, [['a', 'b']]) == [['a', 'b'], ['a', 'b']]
    assert layers_of_each(subjects, [['a', 'b'], ['c', 'd']]) == [['a', 'b'], ['c', 'd']]
    with pytest.raises(UserError, match='--layers is given 3 times for 2 models'):
        layers_of_each(subjects, [['a'], ['b'], ['c']])
    with pytest.raises(UserError, match=r'other numbers of layers \(student a; teacher b, c\)'):
        layers_of_each(subjects, [['a'], ['b', 'c']])


def test_a_backbone_without_known_stages_needs_names():
    with pytest.raises(UserError, match='model has no backbone whose stages are known: name its layers'):
        layers_of_each([subject(nn.Identity())])
