"""What would fold a host's norms and convolutions into other weights keeps the layers, or refuses in one sentence."""

import copy

import pytest
import torch
import torchvision
from mmcv.cnn.utils import fuse_conv_bn
from mmengine.model.efficient_conv_bn_eval import turn_on_efficient_conv_bn_eval
from mmengine.registry import MODELS
from torch.nn.modules.batchnorm import _BatchNorm

import attn_plugins
from attn_plugins import InsertionError
from tests.insertion.hosts import CA, IEBN, SE, forward, plugged, settle
from tests.layers.check import scramble

SIMAM = dict(type='attn_plugins.SimAM')
NOISY = dict(type='attn_plugins.NoisyBN', at_test=True)
HOSTS = {
    'RepVGG': dict(
        host='mmpretrain.RepVGG',
        arch=dict(
            num_blocks=[1, 1, 1, 1],
            width_factor=[0.25] * 4,
            group_layer_map=None,
            se_cfg=None,
            stem_channels=8,
        ),
    ),
    'MobileOne': dict(
        host='mmpretrain.MobileOne',
        arch=dict(
            num_blocks=[1, 1, 1, 1], width_factor=[0.25] * 4, num_conv_branches=[1] * 4, num_se_blocks=[0] * 4
        ),
    ),
}


def build(name: str, *entries: dict) -> torch.nn.Module:
    model = MODELS.build(
        dict(type='attn_plugins.Plugged', plugins=list(entries), **copy.deepcopy(HOSTS[name]))
    )
    scramble(model)
    model.double().eval()
    for norm in (module for module in model.modules() if isinstance(module, _BatchNorm)):
        norm.reset_running_stats()
    return model


def run(model: torch.nn.Module) -> torch.Tensor:
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return model(x)[-1]


@pytest.mark.parametrize('name', HOSTS)
@pytest.mark.parametrize(
    'entry',
    [
        dict(cfg=IEBN, norm='all'),
        dict(cfg=NOISY, norm='all'),
        dict(cfg=SE, after='**.conv'),
        dict(cfg=SIMAM, before='**.conv'),
    ],
    ids=['IEBN', 'NoisyBN', 'SE after conv', 'SimAM before conv'],
)
def test_a_block_with_a_layer_inside_is_not_folded(name, entry):
    model = build(name, entry)
    y = run(model)
    with pytest.raises((InsertionError, ValueError), match='cannot (be )?fold'):
        model.switch_to_deploy()
    assert torch.isfinite(y).all() and torch.equal(run(model), y)


@pytest.mark.parametrize('name', HOSTS)
def test_layers_after_whole_blocks_survive_the_fold(name):
    model = build(name, dict(cfg=SE, position='block_output'))
    y = run(model)
    model.switch_to_deploy()
    torch.testing.assert_close(run(model), y, rtol=1e-6, atol=1e-9)


def test_the_norm_itself_refuses_whoever_folds():
    """A folder that is unknown reads the norm's eps."""
    model = plugged('mmdet ResNet-50', IEBN)
    with pytest.raises(ValueError, match='cannot be folded into the weights of a convolution'):
        model.layer1[0].norm1.eps  # noqa: B018
    assert model.layer1[0].norm1.weight is model.layer1[0].norm1.bn.weight


@pytest.mark.parametrize('cfg', [CA, IEBN], ids=['CA', 'IEBN'])
def test_mmengines_efficient_evaluation_keeps_the_layers(cfg):
    name = 'mmpretrain ResNet-18'
    model = plugged(name, cfg, 'after_conv2')
    scramble(model)
    settle(name, model.double())
    y = forward(name, model)
    turn_on_efficient_conv_bn_eval(model, ['layer1', 'layer2.0', 'layer3.1'])
    torch.testing.assert_close(forward(name, model), y, rtol=1e-9, atol=1e-9 * float(y.abs().max()))


def test_mmcvs_efficient_evaluation_refuses_a_convolution_with_a_layer():
    model = MODELS.build(
        dict(
            type='attn_plugins.Plugged',
            host='mmpretrain.MobileNetV2',
            widen_factor=0.25,
            plugins=[dict(cfg=SE, after='layer2.0.conv.0.conv')],
        )
    )
    model.eval()
    x = torch.randn(1, 3, 32, 32)
    for module in model.modules():
        if hasattr(type(module), 'turn_on_efficient_conv_bn_eval'):
            module.turn_on_efficient_conv_bn_eval()
    with pytest.raises(ValueError, match='cannot be folded'):
        model(x)


@pytest.mark.parametrize(
    'entries',
    [
        [dict(cfg=dict(type='attn_plugins.ECA'), after='layer*.*.bn1'), dict(cfg=SE, position='after_conv1')],
        [dict(cfg=IEBN, norm='layer*.*.bn1'), dict(cfg=SE, position='after_conv1')],
        [
            dict(cfg=dict(type='attn_plugins.ECA'), after='layer*.*.bn1'),
            dict(cfg=dict(type='attn_plugins.DynamicConv'), replace='layer*.*.conv2'),
        ],
    ],
    ids=['ECA and SE', 'IEBN and SE', 'ECA and a convolution'],
)
def test_a_norm_is_not_fused_into_a_convolution_that_is_not_its_own(entries):
    """mmcv's loop keeps the last convolution while it passes a norm and a convolution that hold layers."""

    torch.manual_seed(0)
    model = attn_plugins.plug(torchvision.models.resnet18(num_classes=5), entries)
    scramble(model)
    model.double().eval()
    for norm in (module for module in model.modules() if isinstance(module, _BatchNorm)):
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
    x = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    y = model(x)
    torch.testing.assert_close(
        fuse_conv_bn(copy.deepcopy(model))(x), y, rtol=1e-9, atol=1e-9 * float(y.abs().max())
    )
    assert {key for key, _ in model.named_parameters()} <= set(model.state_dict())
    assert set(torchvision.models.resnet18(num_classes=5).state_dict()) - set(model.state_dict()) <= {
        f'layer{i}.{j}.conv2.weight' for i in (1, 2, 3, 4) for j in (0, 1)
    }


def test_a_norm_that_is_kept_from_fusion_is_still_the_hosts_norm():
    """With gates of exactly one the plugged host computes what the host does, though its norms are in containers
    now.
    """
    host = torchvision.models.resnet18().double().eval()
    scramble(host)
    plain = copy.deepcopy(host)
    attn_plugins.plug(host, [dict(cfg=SE, after='layer*.*.bn1'), dict(cfg=SE, after='layer*.*.conv2')])
    kept = [name for name, module in host.named_modules() if type(module).__name__ == 'UnfusedNorm']
    assert kept == [f'layer{i}.{j}.bn2' for i in range(1, 5) for j in range(2)]
    for layer in host.modules():
        if type(layer).__name__ == 'SE':
            for parameter in layer.parameters():
                torch.nn.init.constant_(
                    parameter, 50 if parameter.ndim == 1 else 0
                )  # sigmoid(50) is 1 in float64
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert torch.equal(host(x), plain(x))
