"""The published initialisation of every layer survives the initialisation of every family of hosts."""

import copy

import pytest
import torch
from mmengine.registry import MODELS

from attn_plugins import inserted_layers
from attn_plugins.layers.wrapper import Wrapper
from tests.insertion.hosts import HOSTS
from tests.layers.check import scramble
from tests.layers.examples import LAYERS

# The families differ in how far mmengine's initialisation reaches into their stages.
FAMILIES = [name for name in HOSTS if name not in ('mmdet ResNet-18', 'mmpretrain ResNet-18')]
ONE_OF_EACH = {cfg['type'].split('.')[1]: cfg for cfg in reversed(LAYERS.values())}
# What mmdet's SSDLite asks for its backbone; it reaches every convolution.
TRUNCATED = dict(type='TruncNormal', layer='Conv2d', std=0.03)


def check(model: torch.nn.Module) -> None:
    """After the host's initialisation each layer has exactly what its own `init_weights` left there.

    That this is the published start, the layer contract checks.
    """
    layers = inserted_layers(model)
    published = {}
    for name, layer in layers.items():
        scramble(layer)

        def recorded(name=name, layer=layer, init_weights=layer.init_weights):
            init_weights()
            published[name] = copy.deepcopy(layer.state_dict())

        layer.init_weights = recorded
    model.init_weights()
    assert published.keys() == layers.keys()
    for name, layer in layers.items():
        own = (
            layer.own_keys() if isinstance(layer, Wrapper) else layer.state_dict()
        )  # the inner norm is the host's
        for key in own:
            value = layer.state_dict()[key]
            assert torch.equal(value, published[name][key]), f'{name}.{key}'


ATTENTION = [name for name in ONE_OF_EACH if name not in ('IEBN', 'NoisyBN')]


def entries(position: str) -> list[dict]:
    """Every attention layer, one after the other at each place."""
    return [dict(cfg=ONE_OF_EACH[name], position=position) for name in ATTENTION]


def build(family: str, plugins: list[dict], **options) -> torch.nn.Module:
    host, defaults, *_ = HOSTS[family]
    return MODELS.build(dict(type='attn_plugins.Plugged', host=host, plugins=plugins, **defaults, **options))


@pytest.mark.parametrize('family', FAMILIES)
def test_attention_starts_as_published(family):
    model = build(family, entries(HOSTS[family][2]))
    assert len({type(layer) for layer in inserted_layers(model).values()}) == len(ATTENTION)
    check(model)


@pytest.mark.parametrize('family', [name for name in FAMILIES if 'FPN' not in name])
@pytest.mark.parametrize('norm', ['IEBN', 'NoisyBN'])
def test_norms_start_as_published(family, norm):
    check(build(family, [dict(cfg=ONE_OF_EACH[norm], norm='main')]))


def test_they_survive_an_initialisation_of_every_convolution():
    check(build('mmdet MobileNetV2', entries('after_depthwise'), init_cfg=[TRUNCATED]))


@pytest.mark.parametrize('library', ['mmdet', 'mmseg'])
def test_they_survive_as_openmmlabs_own_plugins(library):
    """In ResNet's own `plugins=`, without `Plugged`."""
    plugins = [
        dict(cfg=ONE_OF_EACH[name], position='after_conv3', stages=(False, True, False, False))
        for name in ATTENTION
    ]
    model = MODELS.build(
        dict(type=f'{library}.ResNet', depth=50, base_channels=8, stem_channels=8, plugins=plugins)
    )
    assert len(inserted_layers(model)) == 4 * len(ATTENTION)
    check(model)
