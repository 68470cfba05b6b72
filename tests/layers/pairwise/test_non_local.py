"""NonLocal: formula of the four modes in float64, mmcv's code, count, start, memory, bad input."""

import pytest
import torch
import torch.nn.functional as F
from mmcv.cnn import NonLocal2d

from attn_plugins import load_official
from tests.layers.check import scramble
from tests.layers.helpers import assert_same, assert_takes_its_map_by_keyword, count, exact, make, random_map
from tests.layers.starts import assert_start, kaiming, normal, plain_norm


def gradients(layer, x):
    """Of input and parameters, for a fixed weighting of the outputs."""
    x = x.clone().requires_grad_()
    y = layer(x)
    weights = torch.arange(y.numel(), dtype=y.dtype).view_as(y).sin()
    return torch.autograd.grad((y * weights).sum(), [x, *layer.parameters()])


def non_local_formula(layer, x):
    """The four modes with the whole map of weights."""
    theta, phi = (x, x) if layer.mode == 'gaussian' else (layer.theta(x), layer.phi(x))
    g = layer.g(x)
    if layer.sub_sample:
        phi, g = F.max_pool2d(phi, 2), F.max_pool2d(g, 2)
    theta, phi, g = theta.flatten(2), phi.flatten(2), g.flatten(2)
    if layer.mode == 'concatenation':
        pairs = torch.cat(torch.broadcast_tensors(theta[..., None], phi[:, :, None]), 1)
        weights = torch.einsum('d,ndij->nij', layer.concat_project.weight.flatten(), pairs).relu()
    else:
        weights = torch.einsum('ndi,ndj->nij', theta, phi)
    if layer.mode == 'embedded_gaussian' and layer.scale != 1:
        weights = weights / theta.shape[1] ** 0.5
    weights = weights.softmax(2) if 'gaussian' in layer.mode else weights / g.shape[2]
    y = torch.einsum('nij,ndj->ndi', weights, g).unflatten(2, x.shape[2:])
    y = layer.conv_out(y)
    return x + (y if layer.norm is None else layer.norm(y))


@pytest.mark.parametrize('sub_sample', [False, True])
@pytest.mark.parametrize('mode', ['gaussian', 'embedded_gaussian', 'dot_product', 'concatenation'])
@pytest.mark.parametrize('options', [{}, {'norm_cfg': {'type': 'BN'}, 'use_scale': False, 'reduction': 3}])
def test_non_local_is_the_formula_and_can_be_trained(mode, sub_sample, options):
    layer = exact('NonLocal', in_channels=8, mode=mode, sub_sample=sub_sample, **options)
    x = random_map(2, 8, 5, 7)
    assert_same(layer(x), non_local_formula(layer, x))
    ours = gradients(layer, x)
    forward, layer.forward = layer.forward, lambda x: non_local_formula(layer, x)
    for mine, naive in zip(ours, gradients(layer, x), strict=True):
        assert_same(mine, naive)
    layer.forward = forward
    assert all(gradient.abs().max() > 0 for gradient in ours)


@pytest.mark.parametrize('sub_sample', [False, True])
@pytest.mark.parametrize('norm_cfg', [None, {'type': 'BN'}])
@pytest.mark.parametrize('mode', ['gaussian', 'embedded_gaussian', 'dot_product', 'concatenation'])
def test_non_local_loads_mmcvs_weights(mode, norm_cfg, sub_sample):
    options = {'mode': mode, 'sub_sample': sub_sample, 'norm_cfg': norm_cfg}
    theirs = NonLocal2d(8, **options).double().eval()
    scramble(theirs)
    layer = make('NonLocal', in_channels=8, **options).double().eval()
    load_official(layer, theirs.state_dict())
    x = random_map(2, 8, 5, 6)
    with torch.no_grad():  # mmcv's concatenation cannot be back-propagated
        assert_same(layer(x), theirs(x))


@pytest.mark.parametrize('shape', [(1, 1), (1, 6), (5, 1)])
def test_non_local_samples_maps_of_one_row_or_column(shape):
    layer = exact('NonLocal', in_channels=8, sub_sample=True)
    assert torch.isfinite(layer(random_map(1, 8, *shape))).all()


@pytest.mark.parametrize(
    'options, number',
    [
        (dict(in_channels=64), 2 * 64**2 + 2.5 * 64),
        (dict(in_channels=64, norm_cfg=dict(type='BN')), 2 * 64**2 + 3.5 * 64),
        (dict(in_channels=64, mode='concatenation'), 2 * 64**2 + 3.5 * 64),
        (dict(in_channels=64, mode='gaussian'), 64**2 + 1.5 * 64),
    ],
)
def test_parameter_counts_are_the_papers(options, number):
    assert count('NonLocal', **options) == number


def test_start():
    """open-mmlab/mmcv: cnn/bricks/non_local.py."""
    assert_start(
        'NonLocal',
        {
            'g.weight': normal(0.01),
            'g.bias': 0,
            'theta.weight': normal(0.01),
            'theta.bias': 0,
            'phi.weight': normal(0.01),
            'phi.bias': 0,
            'concat_project.weight': kaiming(1),
            'conv_out.weight': 0,
            'conv_out.bias': 0,
        },
        in_channels=64,
        mode='concatenation',
    )
    assert_start(
        'NonLocal',
        {
            'g.weight': normal(0.01),
            'g.bias': 0,
            'conv_out.weight': kaiming(64),
            **plain_norm('norm', weight=0),
        },
        in_channels=64,
        mode='gaussian',
        norm_cfg=dict(type='BN'),
    )


@pytest.mark.parametrize('options', [{}, {'mode': 'concatenation'}, {'norm_cfg': {'type': 'BN'}}])
def test_it_starts_as_the_identity(options):
    layer = make('NonLocal', in_channels=16, **options)
    scramble(layer)
    layer.init_weights()
    x = torch.randn(2, 16, 4, 5)
    assert torch.equal(layer(x), x)


@pytest.mark.parametrize('mode', ['embedded_gaussian', 'dot_product'])
def test_no_map_over_all_pairs_is_held(mode):
    layer = make('NonLocal', in_channels=16, mode=mode)
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t.numel()) or t, lambda t: t):
        layer(torch.randn(1, 16, 20, 20))
    assert max(saved) <= 16 * 20 * 20


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(mode='dotproduct'), "mode='dotproduct' does not exist: did you mean dot_product"),
        (dict(reduction=0), 'reduction=0 must be at least 1'),
    ],
)
def test_options_that_cannot_work_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make('NonLocal', **{'in_channels': 32, **options})


def test_a_map_by_keyword_is_checked_and_compiles():
    assert_takes_its_map_by_keyword('NonLocal')
