"""GE: formulas in float64 place by place, count, start, the size it is bound to, bad input."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F

from tests.layers.check import scramble
from tests.layers.helpers import MAPS, count, exact, make, random_map
from tests.layers.starts import assert_start, kaiming, normal, plain_norm
from tests.stack import onnx_session


def depthwise(x, weight, bias):
    """A 3x3 depthwise convolution of stride 2, place by place."""
    height, width = (x.shape[1] + 1) // 2, (x.shape[2] + 1) // 2
    padded = F.pad(x, (1, 1, 1, 1))
    y = torch.empty(len(x), height, width, dtype=x.dtype)
    for i, j in itertools.product(range(height), range(width)):
        window = padded[:, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3]
        y[:, i, j] = (window * weight[:, 0]).sum((1, 2))
    return y if bias is None else y + bias[:, None, None]


def norm(x, module):
    scale = module.weight / (module.running_var + module.eps).sqrt()
    return (x - module.running_mean[:, None, None]) * scale[:, None, None] + module.bias[:, None, None]


def gathered(layer, x, extent, mode):
    """Gather and excite of one sample (C, H, W), as written."""
    if mode == 'theta_minus':
        height, width = -(-x.shape[1] // extent), -(-x.shape[2] // extent)
        z = torch.empty(len(x), height, width, dtype=x.dtype)
        for i, j in itertools.product(range(height), range(width)):
            top, left = max(0, extent * (i - 1) + 1), max(0, extent * (j - 1) + 1)
            z[:, i, j] = x[:, top : extent * (i + 1), left : extent * (j + 1)].mean((1, 2))
        return z
    number = int(math.log2(extent))
    for i in range(number):
        conv, bn = layer.gather[3 * i], layer.gather[3 * i + 1]
        x = norm(depthwise(x, conv.weight, conv.bias), bn)
        x = x.clamp(min=0) if i < number - 1 else x
    if mode == 'theta_plus':
        fc1, fc2 = layer.excite[1], layer.excite[3]
        x = torch.einsum('mc,chw->mhw', fc1.weight[:, :, 0, 0], x.clamp(min=0)) + fc1.bias[:, None, None]
        x = torch.einsum('cm,mhw->chw', fc2.weight[:, :, 0, 0], x.clamp(min=0)) + fc2.bias[:, None, None]
    return x


@pytest.mark.parametrize('bias', [False, True])
@pytest.mark.parametrize('mode', ['theta_minus', 'theta', 'theta_plus'])
@pytest.mark.parametrize('extent', [2, 4, 8])
def test_ge_is_its_formula(extent, mode, bias):
    layer = exact('GE', in_channels=4, extent=extent, mode=mode, reduction=2, bias=bias)
    for height, width in MAPS:
        x = random_map(2, 4, height, width)
        y = layer(x)
        for n in range(2):
            z = gathered(layer, x[n], extent, mode)
            rows = [i * z.shape[1] // height for i in range(height)]
            columns = [j * z.shape[2] // width for j in range(width)]
            torch.testing.assert_close(y[n], x[n] * torch.sigmoid(z[:, rows][:, :, columns]))


def test_ge_without_parameters_is_a_composition():
    x = torch.randn(2, 8, 5, 7)
    layer = make('GE', in_channels=8)
    assert not list(layer.parameters())
    composed = make('ChannelAttention', in_channels=8, excitation='identity')
    torch.testing.assert_close(layer(x), composed(x))
    torch.testing.assert_close(layer(x), x * torch.sigmoid(x.mean((2, 3), keepdim=True)))


@pytest.mark.parametrize('bias', [False, True])
@pytest.mark.parametrize('mode', ['theta', 'theta_plus'])
def test_global_ge_is_its_formula_and_bound_to_one_size(mode, bias):
    layer = exact('GE', in_channels=4, mode=mode, reduction=2, spatial_size=(5, 7), bias=bias)
    x = random_map(2, 4, 5, 7)
    conv, bn = layer.gather
    z = (x * conv.weight[:, 0]).sum((2, 3))
    assert (conv.bias is not None) == bias
    if bias:
        z = z + conv.bias
    z = torch.stack([norm(sample[:, None, None], bn)[:, 0, 0] for sample in z])
    if mode == 'theta_plus':
        fc1, fc2 = layer.excite[1], layer.excite[3]
        z = (z.relu() @ fc1.weight[:, :, 0, 0].T + fc1.bias).relu() @ fc2.weight[:, :, 0, 0].T + fc2.bias
    torch.testing.assert_close(layer(x), x * torch.sigmoid(z)[:, :, None, None])
    with pytest.raises(ValueError, match=r'built for maps of \(5, 7\), not \(7, 5\)'):
        layer(x.transpose(2, 3))


@pytest.mark.parametrize(
    'options, number',
    [
        (dict(in_channels=64), 0),
        (dict(in_channels=64, extent=8, mode='theta'), 3 * 11 * 64),
        (dict(in_channels=64, extent=8, mode='theta', bias=True), 3 * 12 * 64),
        (dict(in_channels=64, mode='theta', spatial_size=7), 64 * 49 + 2 * 64),
        (dict(in_channels=64, mode='theta', spatial_size=7, bias=True), 64 * 49 + 3 * 64),
        (dict(in_channels=64, mode='theta_plus', spatial_size=7), 64 * 49 + 2 * 64 + 2 * 64 * 4 + 4 + 64),
    ],
)
def test_parameter_counts_are_the_papers(options, number):
    assert count('GE', **options) == number


def test_start():
    """hujie-frank/GENet: models/RN50-GEP.prototxt, RN50-GEPP.prototxt; the bias is of a port."""
    assert_start(
        'GE',
        {
            'gather.0.weight': kaiming(49),
            'gather.0.bias': 0,
            **plain_norm('gather.1'),
            'excite.1.weight': normal(0.01),
            'excite.1.bias': 0,
            'excite.3.weight': normal(0.01),
            'excite.3.bias': 0,
        },
        in_channels=64,
        mode='theta_plus',
        spatial_size=7,
        reduction=4,
        bias=True,
    )
    assert_start(
        'GE',
        {
            'gather.0.weight': kaiming(9),
            **plain_norm('gather.1'),
            'gather.3.weight': kaiming(9),
            **plain_norm('gather.4'),
        },
        in_channels=64,
        mode='theta',
        extent=4,
    )
    assert_start('GE', {}, in_channels=64)


def test_global_ge_with_parameters_compiles_and_exports():
    layer = make('GE', in_channels=8, mode='theta_plus', reduction=2, spatial_size=(5, 7))
    scramble(layer.eval())
    x = torch.randn(2, 8, 5, 7).contiguous(memory_format=torch.channels_last)
    y = layer(x)
    assert y.is_contiguous(memory_format=torch.channels_last)
    torch._dynamo.reset()
    torch.testing.assert_close(torch.compile(layer, fullgraph=True, backend='aot_eager')(x), y)
    session = onnx_session(layer, x)
    three = torch.randn(3, 8, 5, 7)
    expected = layer(three).detach()
    torch.testing.assert_close(torch.from_numpy(session.run(None, {'x': three.numpy()})[0]), expected)
    with torch.autocast('cpu', torch.bfloat16):
        assert layer(x).dtype == torch.float32


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(extent=3), "extent=3 must be 2, 4, 8 or 'global'"),
        (dict(mode='plus'), "mode='plus' must be one of theta_minus, theta, theta_plus"),
        (dict(mode='theta'), "extent='global' with mode='theta' needs spatial_size"),
        (dict(extent=2, spatial_size=7), 'spatial_size=7 has no use with extent=2'),
        (dict(mode='theta', spatial_size=(7, 0)), r'spatial_size=\(7, 0\) must be'),
    ],
)
def test_options_that_cannot_work_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make('GE', **{'in_channels': 32, **options})
