"""Generalized attention against a double loop over all places, and against mmcv's module where that is right."""

import itertools
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmcv.cnn.bricks.generalized_attention import GeneralizedAttention as MMCV

from attn_plugins.layers.pairwise import GeneralizedAttention
from tests.layers.check import scramble
from tests.layers.starts import assert_start, uniform

TYPES = [f'{bits:04b}' for bits in range(16)]
WRONG_IN_MMCV = ['0100', '0110', '1100', '1110']


def build(in_channels=16, **options):
    torch.manual_seed(0)
    layer = GeneralizedAttention(in_channels, **{'num_heads': 4, **options})
    scramble(layer)
    return layer


def embedding(difference, dim):
    """[sin, cos] of the difference over every wave length."""
    waves = [difference / 1000 ** (4 * f / dim) for f in range(dim // 4)]
    return np.array([math.sin(w) for w in waves] + [math.cos(w) for w in waves])


def double_loop(layer, x):
    """The definition, in float64: for every query all keys one by one, on subsampled maps."""
    heads, q_stride, kv_stride = layer.num_heads, layer.q_stride, layer.kv_stride
    state = {name: value.detach().double().numpy() for name, value in layer.state_dict().items()}
    matrix = {name[:-7]: state[name].reshape(len(state[name]), -1) for name in state if '.weight' in name}
    bits = [bit == '1' for bit in layer.attention_type]
    n, _, height, width = x.shape
    pixels = x.double().numpy()
    rows, columns = range(0, height, q_stride), range(0, width, q_stride)
    seen = [(b, a) for b in range(0, height, kv_stride) for a in range(0, width, kv_stride)]
    out = np.zeros((n, len(matrix['value_conv']), len(rows), len(columns)))

    def project(name, y, x_):
        return (pixels[:, :, y, x_] @ matrix[name].T).reshape(n, heads, -1)

    def vector(name):
        return state[name].reshape(1, heads, -1)

    for (i, y), (j, x_) in itertools.product(enumerate(rows), enumerate(columns)):
        energies, values = [], []
        for b, a in seen:
            energy = np.zeros((n, heads))
            if bits[0]:
                energy += (project('query_conv', y, x_) * project('key_conv', b, a)).sum(2)
            if bits[2]:
                energy += (vector('appr_bias') * project('key_conv', b, a)).sum(2)
            if bits[1] or bits[3]:
                position = 0
                for fc, distance in (('appr_geom_fc_x', x_ - a), ('appr_geom_fc_y', y - b)):
                    features = embedding(distance * layer.position_magnitude, layer.position_dim)
                    position = position + matrix[fc] @ features / math.sqrt(2)
                position = position.reshape(1, heads, -1)
            if bits[1]:
                energy += (project('query_conv', y, x_) * position).sum(2)
            if bits[3]:
                energy += (vector('geom_bias') * position).sum(2)
            if layer.spatial_range >= 0:
                reach = layer.spatial_range
                for query, key in ((y, b), (x_, a)):
                    first, last = (query - reach) // kv_stride, (query + reach + 1) // kv_stride
                    if not first <= key // kv_stride <= last:
                        energy = energy - np.inf
            energies.append(energy)
            values.append(project('value_conv', b, a))
        weights = np.exp(np.stack(energies) - np.max(energies, axis=0))
        weights /= weights.sum(0)
        out[:, :, i, j] = (weights[..., None] * np.stack(values)).sum(0).reshape(n, -1)
    y = np.einsum('oc,nchw->nohw', matrix['proj_conv'], out) + state['proj_conv.bias'][:, None, None]
    y = F.interpolate(torch.from_numpy(y), size=(height, width), mode='bilinear', align_corners=False)
    return x.double() + layer.state_dict()['gamma'].double() * y


def assert_is_the_definition(layer, height, width):
    layer = layer.double()
    x = torch.randn(2, 8, height, width, dtype=torch.float64)
    torch.testing.assert_close(layer(x), double_loop(layer, x), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize('attention_type', TYPES)
@pytest.mark.parametrize('q_stride, kv_stride', [(1, 1), (1, 2), (2, 1), (2, 3)])
@pytest.mark.parametrize('height, width', [(4, 4), (3, 5)])
def test_every_type_is_the_definition(attention_type, q_stride, kv_stride, height, width):
    layer = build(8, num_heads=2, attention_type=attention_type, q_stride=q_stride, kv_stride=kv_stride)
    assert_is_the_definition(layer, height, width)


@pytest.mark.parametrize('attention_type', TYPES)
@pytest.mark.parametrize('spatial_range, q_stride, kv_stride', [(0, 1, 2), (1, 2, 1), (2, 2, 2)])
def test_the_range_is_the_definition(attention_type, spatial_range, q_stride, kv_stride):
    layer = build(
        8,
        num_heads=2,
        attention_type=attention_type,
        spatial_range=spatial_range,
        q_stride=q_stride,
        kv_stride=kv_stride,
    )
    assert_is_the_definition(layer, 5, 6)


@pytest.mark.parametrize(
    'options', [{'num_heads': 3}, {'position_embedding_dim': 12}, {'position_magnitude': 2.5}]
)
def test_the_other_options_are_the_definition(options):
    """Three heads of eight channels use six of them."""
    assert_is_the_definition(build(8, **options), 3, 4)


def theirs_of(layer, in_channels, **options):
    theirs = MMCV(in_channels, **{'num_heads': 4, **options}).double()
    theirs.load_state_dict(layer.state_dict())
    return theirs


@pytest.mark.parametrize('attention_type', sorted({*TYPES} - {*WRONG_IN_MMCV}))
@pytest.mark.parametrize(
    'options', [{}, {'kv_stride': 1}, {'q_stride': 2}, {'num_heads': 3, 'position_embedding_dim': 8}]
)
def test_equals_mmcv_where_mmcv_is_right(attention_type, options):
    options = {**options, 'attention_type': attention_type}
    layer = build(**options).double()
    x = torch.randn(2, 16, 5, 7, dtype=torch.float64)
    # mmcv's waves come from float32 numbers raised in float64, its softmax arguments from longer sums
    torch.testing.assert_close(layer(x), theirs_of(layer, 16, **options)(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('attention_type', WRONG_IN_MMCV)
def test_mmcv_is_still_wrong_where_we_deviate(attention_type):
    layer = build(attention_type=attention_type).double()
    theirs = theirs_of(layer, 16, attention_type=attention_type)
    square = torch.randn(2, 16, 6, 6, dtype=torch.float64)
    assert (layer(square) - theirs(square)).abs().max() > 0.01
    with pytest.raises(RuntimeError):
        theirs(torch.randn(2, 16, 5, 7, dtype=torch.float64))


@pytest.mark.parametrize('kv_stride', [1, 2])
def test_equals_mmcv_with_a_range(kv_stride):
    """The window is mmcv's, and so are the weights, though mmcv stores its window among them."""
    options = {'attention_type': '1010', 'spatial_range': 2, 'kv_stride': kv_stride, 'num_heads': 8}
    theirs = MMCV(512, **options).eval()
    torch.nn.init.ones_(theirs.gamma)
    layer = GeneralizedAttention(512, **options)
    assert 'local_constraint_map' in theirs.state_dict()
    torch.nn.Sequential(layer).load_state_dict(torch.nn.Sequential(theirs).state_dict())
    x = torch.randn(1, 512, 7, 9)
    torch.testing.assert_close(layer(x), theirs(x), rtol=1e-5, atol=1e-5)


def test_every_parameter_has_mmcvs_name():
    for attention_type in TYPES:
        options = {'num_heads': 8, 'attention_type': attention_type}
        ours, theirs = GeneralizedAttention(64, **options), MMCV(64, **options)
        shapes = [{k: v.shape for k, v in m.state_dict().items()} for m in (ours, theirs)]
        assert shapes[0] == shapes[1]


@pytest.mark.parametrize('attention_type', TYPES)
def test_no_map_over_all_pairs_is_held(attention_type):
    """Heads times pairs would be 4 * 400 * 400; the features of a place are 4 + 16 numbers per head."""
    layer = build(attention_type=attention_type, kv_stride=1)
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t.numel()) or t, lambda t: t):
        layer(torch.randn(1, 16, 20, 20))
    assert max(saved) <= 4 * 400 * 20


@pytest.mark.parametrize('attention_type', ['1111', '0001'])
def test_positions_stay_accurate_far_from_the_origin(attention_type):
    """sin(a - b) from sin a, cos a, sin b, cos b in float32."""
    layer = build(attention_type=attention_type)
    x = torch.randn(1, 16, 3, 200)
    with torch.no_grad():
        single, double = layer(x), layer.double()(x.double())
    assert (single - double).abs().max() <= 2e-5 * double.abs().max()


def test_it_starts_as_the_identity():
    layer = build(256, num_heads=8)
    layer.init_weights()
    x = torch.randn(1, 256, 5, 6)
    assert torch.equal(layer(x), x)


def test_start():
    """open-mmlab/mmcv: cnn/bricks/generalized_attention.py: even with the variance 1 / fan_in, u and v up to 1 /
    sqrt(2 d).
    """
    start = {
        'query_conv.weight': uniform((3 / 64) ** 0.5),
        'key_conv.weight': uniform((3 / 64) ** 0.5),
        'value_conv.weight': uniform((3 / 64) ** 0.5),
        'appr_geom_fc_x.weight': uniform((3 / 32) ** 0.5),
        'appr_geom_fc_y.weight': uniform((3 / 32) ** 0.5),
        'appr_bias': uniform((2 * 8) ** -0.5),
        'geom_bias': uniform((2 * 8) ** -0.5),
        'proj_conv.weight': uniform((3 / 64) ** 0.5),
        'proj_conv.bias': 0,
        'gamma': 0,
    }
    assert_start('GeneralizedAttention', start, in_channels=64, num_heads=8)


@pytest.mark.parametrize(
    'attention_type, of_c2, of_c',
    [
        ('0001', 3, 2),
        ('0010', 3, 2),
        ('0011', 4, 3),
        ('0100', 4, 1),
        ('1000', 4, 1),
        ('1010', 4, 2),
        ('1111', 5, 3),
    ],
)
def test_parameters_are_counted(attention_type, of_c2, of_c):
    layer = GeneralizedAttention(64, num_heads=8, attention_type=attention_type)
    assert sum(p.numel() for p in layer.parameters()) == of_c2 * 64**2 + of_c * 64 + 1


@pytest.mark.parametrize(
    'options, message',
    [
        ({'attention_type': '111'}, "attention_type='111' must be a string of four bits"),
        ({'attention_type': '1121'}, "attention_type='1121' must be a string of four bits"),
        ({'attention_type': 1111}, 'attention_type=1111 must be a string of four bits'),
        (
            {'num_heads': 17},
            'num_heads=17 leaves no channel per head for in_channels=16: choose from 1 to 16',
        ),
        ({'num_heads': 0}, 'num_heads=0 leaves no channel'),
        ({'kv_stride': 0}, 'kv_stride=0 must be at least 1'),
        ({'q_stride': -1}, 'q_stride=-1 must be at least 1'),
        ({'spatial_range': -2}, 'spatial_range=-2 must be at least 0, or -1'),
        ({'position_embedding_dim': 6}, 'position_embedding_dim=6 must be a positive multiple of 4.*: try 8'),
        ({'position_embedding_dim': 0}, 'position_embedding_dim=0 must be a positive multiple of 4'),
    ],
)
def test_options_that_cannot_work_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        GeneralizedAttention(16, **options)


def test_channels_that_are_no_multiple_of_four_need_no_positions():
    assert GeneralizedAttention(10, num_heads=2, attention_type='1010')
    with pytest.raises(ValueError, match='position_embedding_dim=10 must be a positive multiple of 4'):
        GeneralizedAttention(10, num_heads=2)
