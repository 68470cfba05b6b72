"""`start='identity'`: a plain checkpoint computes the same, bit for bit, until the first step."""

import copy
import pickle

import pytest
import torch
from mmengine.registry import MODELS

from attn_plugins import InsertionError, inserted_layers
from attn_plugins.layers.conv.base import ConvLike
from attn_plugins.layers.norm.base import NormLayer
from attn_plugins.registry import MODELS as LAYERS
from tests.insertion.hosts import HOSTS, forward, plain, settle
from tests.layers.check import scramble

LAYERS.import_from_location()
TYPES = sorted(
    name
    for name, cls in LAYERS.module_dict.items()
    if hasattr(cls, '_abbr_') and not issubclass(cls, ConvLike)
)
OPTIONS = {
    'SE': dict(reduction=4),
    'SGE': dict(groups=4),
    'FCA': dict(reduction=4, frequencies='top8'),
    'GC': dict(ratio=1 / 4),
}
NAME = 'mmdet ResNet-50'


def build(cfg: dict, name: str = NAME, **entry) -> torch.nn.Module:
    host, defaults, position, _ = HOSTS[name]
    where = dict(norm='main') if issubclass(LAYERS.get(cfg['type']), NormLayer) else dict(position=position)
    entry = {**dict(cfg=cfg, start='identity'), **where, **entry}
    return MODELS.build(dict(type='attn_plugins.Plugged', host=host, plugins=[entry], **defaults))


def cfg_of(kind: str) -> dict:
    reduction = dict(reduction=4) if 'reduction' in LAYERS.get(kind).__init__.__code__.co_varnames else {}
    return dict(type=f'attn_plugins.{kind}', **{**reduction, **OPTIONS.get(kind, {})})


@pytest.mark.parametrize('kind', TYPES)
def test_a_plain_checkpoint_computes_the_same_bit_for_bit_and_then_learns(kind):
    host, model = plain(NAME), build(cfg_of(kind))
    settle(NAME, host)
    result = model.load_state_dict(host.state_dict(), strict=False)
    assert not result.unexpected_keys and all('attn' in key or 'gate_' in key for key in result.missing_keys)
    host.eval(), model.eval()
    assert torch.equal(forward(NAME, model), forward(NAME, host))
    starts = {key: p for key, p in model.named_parameters() if key.endswith('attn_start')}
    assert len(starts) == len(inserted_layers(model))
    forward(NAME, model).square().sum().backward()
    assert all(p.grad is not None for p in starts.values())
    moved = sum(bool(p.grad != 0) for p in starts.values())
    # Layers that start as the identity leave nothing to blend; their own parameters move them. The gate of PAM and
    # CAM is 0.
    assert moved == len(starts) or kind in (
        'CAM',
        'CrissCross',
        'GC',
        'GCT',
        'GeneralizedAttention',
        'NonLocal',
        'PAM',
        'NoisyBN',
    )


def test_it_becomes_the_layer_at_one():
    blended, whole = build(cfg_of('SE')), build(cfg_of('SE'), start=None)
    scramble(whole)
    settle(NAME, whole)
    blended.load_state_dict(whole.state_dict(), strict=False)
    with torch.no_grad():
        for key, p in blended.named_parameters():
            if key.endswith('attn_start'):
                p.fill_(1)
    blended.double().eval(), whole.double()
    torch.testing.assert_close(forward(NAME, blended), forward(NAME, whole))


def test_copies_initialisation_and_tracing():
    model = build(cfg_of('IEBN'), 'mmpretrain MobileNetV2')
    model.init_weights()
    model.eval()
    y = forward('mmpretrain MobileNetV2', model)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(forward('mmpretrain MobileNetV2', twin), y)
    scramble(model)
    for layer in inserted_layers(model).values():
        assert not (layer.gate_bias == -1).all()
    model = build(cfg_of('SE'))
    scramble(model)
    model.init_weights()
    assert all(p == 0 for key, p in model.named_parameters() if key.endswith('attn_start'))


def test_a_checkpoint_without_the_start_is_named(log_lines):
    """The layers' trained weights would have no effect at a = 0."""
    build(cfg_of('SE')).load_state_dict(build(cfg_of('SE'), start=None).state_dict(), strict=False)
    assert any('only a part of the weights of 16 inserted layers' in line for line in log_lines)


def test_what_takes_a_place_cannot_start_as_the_identity():
    with pytest.raises(InsertionError, match='nothing is left to start from'):
        build(dict(type='attn_plugins.SKConv'), position=None, replace='layer1.*.conv2')
    with pytest.raises(InsertionError, match="choose start='identity'"):
        build(cfg_of('SE'), start='zero')
