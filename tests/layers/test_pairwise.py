"""The pairwise layers against their published formulas, written out in float64, and against mmcv's code."""

import pytest
import torch
import torch.nn.functional as F
from mmcv.cnn import NonLocal2d

from attn_plugins import load_official
from attn_plugins.layers.pairwise import CAM, PAM, CrissCross, DoubleAttention, NonLocal
from tests.layers.check import scramble
from tests.stack import needs_float16


def built(layer):
    torch.manual_seed(0)
    scramble(layer)
    return layer.double()


def images(*shape):
    return torch.randn(*shape, dtype=torch.float64)


def assert_same(ours, theirs):
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-11)


def gradients(layer, x):
    """Of input and parameters, for a fixed weighting of the outputs."""
    x = x.clone().requires_grad_()
    y = layer(x)
    weights = torch.arange(y.numel(), dtype=y.dtype).view_as(y).sin()
    return torch.autograd.grad((y * weights).sum(), [x, *layer.parameters()])


@pytest.mark.parametrize('height, width', [(1, 1), (1, 5), (4, 1), (4, 3)])
def test_criss_cross_attends_to_row_and_column_once(height, width):
    layer = built(CrissCross(8, reduction=2))
    x = images(2, 8, height, width)
    q, k, v = layer.query(x), layer.key(x), layer.value(x)
    expected = torch.empty_like(x)
    for i in range(height):
        for j in range(width):
            places = [(b, a) for b in range(height) for a in range(width) if b == i or a == j]
            assert len(places) == height + width - 1
            energies = torch.stack([(q[:, :, i, j] * k[:, :, b, a]).sum(1) for b, a in places], 1)
            values = torch.stack([v[:, :, b, a] for b, a in places], 1)
            expected[:, :, i, j] = (energies.softmax(1)[..., None] * values).sum(1)
    assert_same(layer(x), x + layer.gamma * expected)


def test_pam_attends_to_every_place():
    layer = built(PAM(8, reduction=2))
    x = images(2, 8, 3, 5)
    q, k, v = layer.query(x).flatten(2), layer.key(x).flatten(2), layer.value(x).flatten(2)
    weights = torch.einsum('ndi,ndj->nij', q, k).softmax(2)
    assert_same(layer(x), x + layer.gamma * torch.einsum('nij,ncj->nci', weights, v).view_as(x))


@pytest.mark.parametrize('variant', ['code', 'paper'])
def test_cam_in_both_variants(variant):
    layer = built(CAM(8, variant=variant))
    x = images(2, 8, 3, 4)
    rows = x.flatten(2)
    energy = torch.einsum('nci,ndi->ncd', rows, rows)
    if variant == 'code':
        energy = energy.max(2, keepdim=True).values - energy
    assert_same(layer(x), x + layer.gamma * (energy.softmax(2) @ rows).view_as(x))


def test_the_variants_of_cam_differ():
    x = images(1, 8, 3, 4)
    assert (built(CAM(8))(x) - built(CAM(8, variant='paper'))(x)).abs().max() > 0.1


@needs_float16
def test_cam_survives_products_beyond_half_precision():
    """40 * 40 * 100 places is above float16's largest number."""
    layer = CAM(4)
    torch.nn.init.ones_(layer.gamma)
    x = 40 * torch.randn(1, 4, 10, 10)
    with torch.autocast('cpu', torch.float16):
        y = layer(x.half())
    assert torch.isfinite(y).all()
    assert (y.float() - layer(x.half().float())).abs().max() <= 1e-2 * x.abs().max()


@pytest.mark.parametrize('options', [{}, {'feature_channels': 3, 'attention_maps': 5}])
def test_double_attention_gathers_and_distributes(options):
    """The paper's formula, place by place: the authors' code is not public."""
    layer = built(DoubleAttention(8, **options))
    x = images(2, 8, 3, 4)
    a, b, v = layer.feature(x).flatten(2), layer.gather(x).flatten(2), layer.distribute(x).flatten(2)
    z = torch.zeros_like(a)
    for m in range(b.shape[1]):
        over_places = b[:, m].exp() / b[:, m].exp().sum(1, keepdim=True)
        descriptor = (a * over_places[:, None]).sum(2)
        for i in range(a.shape[2]):
            share = v[:, m, i].exp() / v[:, :, i].exp().sum(1)
            z[:, :, i] += share[:, None] * descriptor
    expected = torch.einsum('om,nmi->noi', layer.out.weight.flatten(1), z) + layer.out.bias[:, None]
    assert_same(layer(x), x + expected.view_as(x))


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
    layer = built(NonLocal(8, mode=mode, sub_sample=sub_sample, **options)).eval()
    x = images(2, 8, 5, 7)
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
    theirs = built(NonLocal2d(8, **options)).eval()
    layer = NonLocal(8, **options).double().eval()
    load_official(layer, theirs.state_dict())
    x = images(2, 8, 5, 6)
    with torch.no_grad():  # mmcv's concatenation cannot be back-propagated
        assert_same(layer(x), theirs(x))


@pytest.mark.parametrize('shape', [(1, 1), (1, 6), (5, 1)])
def test_non_local_samples_maps_of_one_row_or_column(shape):
    layer = built(NonLocal(8, sub_sample=True))
    assert torch.isfinite(layer(images(1, 8, *shape))).all()


@pytest.mark.parametrize(
    'layer',
    [
        PAM(16),
        CrissCross(16),
        CAM(16),
        NonLocal(16),
        NonLocal(16, mode='concatenation'),
        NonLocal(16, norm_cfg=dict(type='BN')),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_starts_as_the_identity(layer):
    scramble(layer)
    layer.init_weights()
    x = torch.randn(2, 16, 4, 5)
    assert torch.equal(layer(x), x)


def test_non_local_starts_as_published():
    layer = NonLocal(512, mode='concatenation')
    for conv in (layer.g, layer.theta, layer.phi):
        assert abs(conv.weight.std() - 0.01) < 1e-4 and not conv.bias.any()


@pytest.mark.parametrize(
    'layer', [NonLocal(16, mode='dot_product'), NonLocal(16), PAM(16), DoubleAttention(16)]
)
def test_no_map_over_all_pairs_is_held(layer):
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t.numel()) or t, lambda t: t):
        layer(torch.randn(1, 16, 20, 20))
    assert max(saved) <= 16 * 20 * 20


@pytest.mark.parametrize(
    'layer, formula',
    [
        (CrissCross(64), 1.25 * 64**2 + 1.25 * 64 + 1),
        (PAM(64), 1.25 * 64**2 + 1.25 * 64 + 1),
        (CAM(64), 1),
        (NonLocal(64), 2 * 64**2 + 2.5 * 64),
        (NonLocal(64, norm_cfg=dict(type='BN')), 2 * 64**2 + 3.5 * 64),
        (NonLocal(64, mode='concatenation'), 2 * 64**2 + 3.5 * 64),
        (NonLocal(64, mode='gaussian'), 64**2 + 1.5 * 64),
        (DoubleAttention(64), 3 * (64 * 16 + 16) + 16 * 64 + 64),
        (
            DoubleAttention(64, feature_channels=8, attention_maps=4),
            64 * 8 + 8 + 2 * (64 * 4 + 4) + 8 * 64 + 64,
        ),
    ],
)
def test_parameters_are_counted(layer, formula):
    assert sum(p.numel() for p in layer.parameters()) == formula


@pytest.mark.parametrize(
    'make, message',
    [
        (lambda: PAM(4), 'reduction=8 leaves 0 hidden channels for in_channels=4'),
        (lambda: CrissCross(4), 'reduction=8 leaves 0 hidden channels for in_channels=4'),
        (lambda: CAM(16, variant='papre'), "variant='papre' must be 'code' or 'paper'"),
        (
            lambda: NonLocal(16, mode='dotproduct'),
            "mode='dotproduct' does not exist: did you mean dot_product",
        ),
        (lambda: NonLocal(16, reduction=0), 'reduction=0 must be at least 1'),
        (lambda: DoubleAttention(16, feature_channels=0), 'feature_channels=0 must be at least 1'),
        (lambda: DoubleAttention(16, attention_maps=-1), 'attention_maps=-1 must be at least 1'),
    ],
)
def test_options_that_cannot_work_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
