"""Every layer passes the whole layer contract."""

import pytest
import torch
from mmengine.registry import MODELS as MMENGINE_MODELS

from attn_plugins import layers
from attn_plugins.layers.place import place_of
from attn_plugins.layers.wrapper import Wrapper
from tests.layers.check import build, check_layer
from tests.layers.examples import LAYERS, examples_of


@pytest.mark.parametrize('name', LAYERS)
def test_contract(name):
    check_layer(LAYERS[name])


@pytest.mark.parametrize('name', layers.__all__)
def test_every_layer_says_its_place_and_what_to_check(name):
    assert place_of(getattr(layers, name)).plugins
    assert examples_of(name), (
        f'{name} has no examples: add examples = [dict(reduction=4)] to the class, the options that the contract '
        'tests build it with'
    )


def test_abbreviations_are_unique():
    """Norm layers are all `bn`: they take the place of the batch norm that they hold."""
    classes = [getattr(layers, name) for name in layers.__all__]
    abbreviations = [cls._abbr_ for cls in classes if not issubclass(cls, Wrapper)]
    assert len(set(abbreviations)) == len(abbreviations)


def conv(inputs, outputs, kernel=1, bias=True):
    return kernel * inputs * outputs + bias * outputs


@pytest.mark.parametrize(
    'cfg, formula',
    [
        (dict(type='SE', in_channels=64, reduction=16), conv(64, 4) + conv(4, 64)),
        (dict(type='SE', in_channels=64, reduction=16, bias=False), 2 * 64 * 4),
        (dict(type='ECA', in_channels=64), 3),
        (dict(type='ECA', in_channels=128), 5),
        (dict(type='ECA', in_channels=256), 5),
        (dict(type='CBAM', in_channels=64), 2 * 64 * 4 + 4 + 64 + 98 + 2),
        (dict(type='CoordAttention', in_channels=64), conv(64, 8) + 2 * 8 + 2 * conv(8, 64)),
        (dict(type='CoordAttention', in_channels=960), conv(960, 30) + 2 * 30 + 2 * conv(30, 960)),
        (
            dict(type='CoordAttention', in_channels=960, axes='h', reduction=24),
            conv(960, 40) + 2 * 40 + conv(40, 960),
        ),
        (dict(type='IEBN', num_features=64), 4 * 64),
    ],
)
def test_parameter_counts_are_the_papers(cfg, formula):
    layer = MMENGINE_MODELS.build(dict(cfg, type='attn_plugins.' + cfg['type']))
    assert sum(p.numel() for p in layer.parameters()) == formula


@pytest.mark.parametrize(
    'cfg, message',
    [
        (
            dict(type='SE', in_channels=32, reduction=64),
            'reduction=64 leaves 0 hidden channels for in_channels=32',
        ),
        (dict(type='SE', in_channels=32, reduction=0), 'reduction=0 must be at least 1'),
        (dict(type='ECA', in_channels=32, kernel_size=4), 'kernel_size=4 must be odd'),
        (dict(type='CBAM', in_channels=32, kernel_size=6), 'kernel_size=6 must be odd'),
        (dict(type='CoordAttention', in_channels=32, axes='x'), "axes='x' must be one of hw, h, w"),
        (
            dict(type='ChannelAttention', in_channels=32, squeeze='maen'),
            "no squeeze of type 'maen': did you mean mean",
        ),
        (
            dict(type='ChannelAttention', in_channels=32, excitation=dict(type='fc', reductoin=4)),
            "fc has no option 'reductoin': did you mean reduction",
        ),
        (dict(type='ChannelAttention', in_channels=32, gate='sigmod'), 'did you mean sigmoid'),
    ],
)
def test_options_that_cannot_work_are_refused(cfg, message):
    with pytest.raises(ValueError, match=message):
        MMENGINE_MODELS.build(dict(cfg, type='attn_plugins.' + cfg['type']))


@pytest.mark.parametrize('name', ['SE', 'CoordAttention', 'NonLocal'])
def test_a_map_by_keyword_is_checked_and_compiles(name):
    layer = build(next(iter(examples_of(name).values())), 16).eval()
    with pytest.raises(ValueError, match=f'^{name} was built for 16 channels'):
        layer(x=torch.zeros(2, 8, 5, 7))
    with pytest.raises(TypeError, match="'x'"):
        layer()
    x = torch.randn(2, 16, 5, 7)
    torch._dynamo.reset()
    compiled = torch.compile(layer, fullgraph=True, backend='aot_eager')
    torch.testing.assert_close(compiled(x=x), layer(x))
