"""IEBN under everything that OpenMMLab does to norm layers: each event at which a subclass of batch norm is lost."""

import copy

import pytest
import torch
from mmcv.cnn import ConvModule, build_norm_layer
from mmcv.cnn.utils import fuse_conv_bn
from mmengine.model.efficient_conv_bn_eval import turn_on_efficient_conv_bn_eval_for_single_model
from mmengine.model.utils import convert_sync_batchnorm, revert_sync_batchnorm
from mmengine.optim import build_optim_wrapper

from attn_plugins.layers import IEBN
from tests.layers.check import scramble
from tests.layers.helpers import count
from tests.layers.starts import assert_start

CFG = dict(type='attn_plugins.IEBN')


@pytest.fixture
def norm() -> IEBN:
    torch.manual_seed(0)
    layer = IEBN(6)
    scramble(layer)
    return layer.eval()


@pytest.fixture
def conv_norm() -> ConvModule:
    torch.manual_seed(0)
    module = ConvModule(3, 6, 3, norm_cfg=CFG)
    scramble(module)
    return module.eval()


def test_it_gets_batch_norms_name_and_keys(norm):
    name, layer = build_norm_layer(dict(CFG, eps=1e-3, momentum=0.03), 6, postfix=2)
    assert name == 'bn2' and layer.bn.eps == 1e-3 and layer.momentum == 0.03
    assert set(layer.state_dict()) == {*torch.nn.BatchNorm2d(6).state_dict(), 'gate_weight', 'gate_bias'}
    plain = torch.nn.BatchNorm2d(6)
    scramble(plain)
    result = norm.load_state_dict(plain.state_dict(), strict=False)
    assert sorted(result.missing_keys) == ['gate_bias', 'gate_weight'] and not result.unexpected_keys
    assert torch.equal(norm.weight, plain.weight) and torch.equal(norm.running_var, plain.running_var)


def test_parameter_count_is_the_papers():
    assert count('IEBN', num_features=64) == 4 * 64


def test_start():
    """gbup-group/IEBN: the gate's bias is -1."""
    assert_start('IEBN', {'gate_weight': 0, 'gate_bias': -1}, num_features=64)


def test_the_gate_starts_at_the_published_value():
    x = torch.randn(4, 6, 5, 5)
    layer, plain = IEBN(6), torch.nn.BatchNorm2d(6)
    torch.testing.assert_close(layer(x), torch.sigmoid(torch.tensor(-1.0)) * plain(x))
    torch.testing.assert_close(torch.sigmoid(torch.tensor(-1.0)).item(), 0.26894, rtol=1e-4, atol=0)


def test_sync_bn_is_converted_and_reverted_inside(norm):
    x = torch.randn(4, 6, 5, 5)
    y = norm(x)
    synced = convert_sync_batchnorm(torch.nn.Sequential(copy.deepcopy(norm)))
    assert isinstance(synced[0].bn, torch.nn.SyncBatchNorm)
    native = torch.nn.SyncBatchNorm.convert_sync_batchnorm(torch.nn.Sequential(copy.deepcopy(norm)))
    assert isinstance(native[0].bn, torch.nn.SyncBatchNorm)
    reverted = revert_sync_batchnorm(synced)
    reverted.eval()
    torch.testing.assert_close(reverted(x), y)


def test_a_checkpoint_trained_with_sync_evaluates_the_same_without(norm):
    """Train on 8 GPUs, test on one: the gate must still be there."""
    trained = revert_sync_batchnorm(torch.nn.Sequential(IEBN(6, sync=True)))
    trained.load_state_dict({f'0.{key}': value for key, value in norm.state_dict().items()})
    trained.eval()
    x = torch.randn(2, 6, 4, 4)
    torch.testing.assert_close(trained(x), norm(x))


def test_fusing_convs_with_batch_norms_leaves_it_alone(conv_norm):
    x = torch.randn(2, 3, 8, 8)
    y = conv_norm(x)
    torch.testing.assert_close(fuse_conv_bn(copy.deepcopy(conv_norm))(x), y)
    efficient = torch.nn.Sequential(copy.deepcopy(conv_norm)).eval()
    turn_on_efficient_conv_bn_eval_for_single_model(efficient)
    torch.testing.assert_close(efficient(x), y)


def test_norm_eval_fixes_the_statistics_and_leaves_the_gate_per_instance(norm):
    norm.train()
    for module in norm.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.eval()
    before = norm.running_mean.clone()
    x = torch.randn(2, 6, 4, 4)
    y = norm(x)
    assert torch.equal(norm.running_mean, before)
    torch.testing.assert_close(norm(x[:1]), y[:1])


def test_weight_decay_can_be_set_for_the_norm_and_the_gate(norm):
    wrapper = build_optim_wrapper(
        norm,
        dict(
            type='OptimWrapper',
            optimizer=dict(type='SGD', lr=0.1, weight_decay=1e-4),
            paramwise_cfg=dict(norm_decay_mult=0.0, custom_keys={'gate_': dict(decay_mult=0.5)}),
        ),
    )
    decay = {id(group['params'][0]): group['weight_decay'] for group in wrapper.optimizer.param_groups}
    assert decay[id(norm.bn.weight)] == decay[id(norm.bn.bias)] == 0
    assert decay[id(norm.gate_weight)] == decay[id(norm.gate_bias)] == pytest.approx(5e-5)


def test_without_affine_only_the_gate_is_left():
    x = torch.randn(4, 6, 5, 5)
    layer = IEBN(6, affine=False)
    torch.testing.assert_close(
        layer(x), torch.sigmoid(torch.tensor(-1.0)) * torch.nn.BatchNorm2d(6, affine=False)(x)
    )
