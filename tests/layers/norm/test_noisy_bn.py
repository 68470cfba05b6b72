"""NoisyBN: the formula, when it is on, and what OpenMMLab does to norm layers."""

import copy

import pytest
import torch
from mmcv.cnn import ConvModule
from mmcv.cnn.utils import fuse_conv_bn
from mmengine.model.utils import convert_sync_batchnorm, revert_sync_batchnorm
from mmengine.registry import MODELS

from attn_plugins import Plugged
from attn_plugins.layers.norm.noisy_bn import NoisyBN
from tests.layers.check import scramble
from tests.layers.helpers import count
from tests.layers.starts import assert_start

CFG = dict(type='attn_plugins.NoisyBN', na=0.7, nb=0.2)


@pytest.fixture
def norm() -> NoisyBN:
    torch.manual_seed(0)
    layer = NoisyBN(6, na=0.7, nb=0.2).double()
    scramble(layer)
    return layer


def formula(x, norm, mean, variance, na=0.7, nb=0.2):
    """The noise put onto the normalised values, before weight and bias."""
    normalized = (x - mean[:, None, None]) / (variance[:, None, None] + norm.bn.eps) ** 0.5
    return norm.bn.weight[:, None, None] * (na * normalized + nb) + norm.bn.bias[:, None, None]


def test_training_equals_the_formula_and_statistics_see_no_noise(norm):
    x = torch.randn(3, 6, 4, 5, dtype=torch.float64) * 2 + 1
    plain = copy.deepcopy(norm.bn)
    expected = formula(x, norm, x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0))
    torch.testing.assert_close(norm.train()(x), expected)
    plain.train()(x)
    torch.testing.assert_close(norm.bn.running_mean, plain.running_mean)
    torch.testing.assert_close(norm.bn.running_var, plain.running_var)


def test_evaluation_is_clean_unless_asked(norm):
    x = torch.randn(3, 6, 4, 5, dtype=torch.float64)
    norm.eval()
    torch.testing.assert_close(norm(x), norm.bn(x))
    norm.at_test = True
    torch.testing.assert_close(norm(x), formula(x, norm, norm.bn.running_mean, norm.bn.running_var))


def test_noise_in_evaluation_only(norm):
    x = torch.randn(3, 6, 4, 5, dtype=torch.float64)
    norm.at_train, norm.at_test = False, True
    torch.testing.assert_close(norm.train()(x), copy.deepcopy(norm.bn)(x))
    norm.eval()
    torch.testing.assert_close(norm(x), formula(x, norm, norm.bn.running_mean, norm.bn.running_var))


def test_noise_at_no_time_is_refused():
    with pytest.raises(ValueError, match='at_train=False and at_test=False is a plain batch norm: take BN'):
        NoisyBN(6, at_train=False)


def test_the_attack_of_a_host_reaches_into_iebn():
    """norm_cfg attacks every norm of the host; IEBN stands around it, SE behind it."""
    model = MODELS.build(
        dict(
            type='attn_plugins.Plugged',
            host='attn_plugins.CifarResNet',
            depth=8,
            norm_cfg=dict(CFG, at_test=True),
            plugins=[dict(cfg=dict(type='attn_plugins.IEBN'), norm='main')],
        )
    )
    noisy = [name for name, module in model.named_modules() if isinstance(module, NoisyBN)]
    assert len(noisy) == 1 + 3 * 2 + 2
    layer = model.layer1[0].conv1.bn
    assert type(layer).__name__ == 'IEBN' and isinstance(layer.bn, NoisyBN)
    x = torch.randn(2, 16, 4, 4)
    layer.eval()
    delta = torch.sigmoid(layer.gate_weight * x.mean((2, 3)) + layer.gate_bias)[:, :, None, None]
    mean, variance = layer.bn.bn.running_mean, layer.bn.bn.running_var
    x_hat = (x - mean[:, None, None]) / (variance[:, None, None] + layer.bn.bn.eps).sqrt()
    noise = layer.bn.weight[:, None, None] * (0.7 * x_hat + 0.2)
    torch.testing.assert_close(layer(x), delta * noise + layer.bn.bias[:, None, None])


def test_norm_eval_fixes_the_statistics_and_leaves_the_noise(norm):
    x = torch.randn(3, 6, 4, 5, dtype=torch.float64)
    norm.train()
    norm.bn.eval()
    torch.testing.assert_close(norm(x), formula(x, norm, norm.bn.running_mean, norm.bn.running_var))


def test_no_noise_is_batch_norm_and_a_plain_network_can_undo_it(norm):
    x = torch.randn(3, 6, 4, 5, dtype=torch.float64)
    clean = copy.deepcopy(norm.bn).train()
    torch.testing.assert_close(
        clean(x), formula(x, norm, x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0), 1, 0)
    )
    expected = clean(x)
    norm.bn.weight.data /= norm.na
    norm.bn.bias.data -= norm.bn.weight.data * norm.nb
    torch.testing.assert_close(norm.train()(x), expected)


def test_it_adds_no_parameters():
    assert count('NoisyBN', num_features=64) == 2 * 64


def test_start():
    """It adds no parameters to the batch norm's."""
    assert_start('NoisyBN', {}, num_features=64)


def test_without_affine():
    layer, x = NoisyBN(6, na=0.7, nb=0.2, affine=False), torch.randn(4, 6, 3, 3)
    torch.testing.assert_close(layer(x), 0.7 * torch.nn.BatchNorm2d(6, affine=False)(x) + 0.2)


def test_it_has_batch_norms_keys_and_loads_its_weights(norm):
    plain = torch.nn.BatchNorm2d(6)
    scramble(plain)
    assert norm.state_dict().keys() == plain.state_dict().keys()
    norm.load_state_dict(plain.state_dict())
    assert torch.equal(norm.weight.float(), plain.weight)


def test_sync_bn_is_converted_and_reverted_inside(norm):
    norm.at_test = True
    x = torch.randn(3, 6, 4, 5, dtype=torch.float64)
    y = norm.eval()(x)
    synced = convert_sync_batchnorm(torch.nn.Sequential(copy.deepcopy(norm)))
    assert isinstance(synced[0].bn, torch.nn.SyncBatchNorm)
    torch.testing.assert_close(revert_sync_batchnorm(synced).eval()(x), y)


def test_fusing_convs_with_batch_norms_leaves_it_alone():
    torch.manual_seed(0)
    module = ConvModule(3, 6, 3, norm_cfg=dict(CFG, at_test=True)).eval()
    assert module.norm_name == 'bn'
    scramble(module)
    x = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(fuse_conv_bn(copy.deepcopy(module))(x), module(x))


@pytest.mark.parametrize('na, nb', [(0, 0.5), (float('nan'), 0), (1, float('inf'))])
def test_noise_that_leaves_nothing_is_refused(na, nb):
    with pytest.raises(ValueError, match='must be finite and na not zero'):
        NoisyBN(6, na=na, nb=nb)


def test_plugged_puts_it_around_the_hosts_own_norms():
    pytest.importorskip('mmdet.models')
    options = dict(depth=18, base_channels=16, stem_channels=16)
    torch.manual_seed(0)
    plugins = [dict(cfg=dict(CFG, at_test=True), norm='main')]
    noisy = Plugged(host='mmdet.ResNet', plugins=plugins, **options)
    plain = MODELS.build(dict(type='mmdet.ResNet', **options))
    assert noisy.state_dict().keys() == plain.state_dict().keys()
    noisy.load_state_dict(plain.state_dict())
    layer = noisy.layer2[0].bn1
    assert isinstance(layer, NoisyBN) and type(noisy.layer2[0].downsample[1]) is torch.nn.BatchNorm2d
    for bn in (module for module in noisy.modules() if isinstance(module, NoisyBN)):
        bn.na, bn.nb = 1, 0
    x = torch.randn(2, 3, 64, 64)
    noisy.eval(), plain.eval()
    for ours, theirs in zip(noisy(x), plain(x), strict=True):
        torch.testing.assert_close(ours, theirs)
    layer.nb = 0.2
    assert not torch.allclose(noisy(x)[1], plain(x)[1])
