"""What must hold for every host with a layer put in: keys, weights, initialisation, copies, conversions, compilers."""

import copy
import io
import pickle

import pytest
import torch
from mmcv.cnn.utils import fuse_conv_bn
from mmengine.model import ExponentialMovingAverage
from mmengine.runner.checkpoint import get_state_dict, load_state_dict
from torch.nn.modules.batchnorm import _BatchNorm

from attn_plugins import inserted_layers
from attn_plugins.layers.state_dict_keys import Wrapper
from tests.insertion.hosts import CA, HOSTS, IEBN, SE, forward, plain, plugged, settle
from tests.layers.check import scramble

CASES = [(name, cfg) for name in HOSTS for cfg in (CA, IEBN) if not ('FPN' in name and cfg is IEBN)]
IDS = [f'{name} + {cfg["type"].split(".")[1]}' for name, cfg in CASES]


def without_counts(keys):
    return {key for key in keys if 'num_batches_tracked' not in key}


def own_keys(model) -> set[str]:
    """Keys of the inserted layers."""
    return {
        f'{name}.{key}'
        for name, layer in inserted_layers(model).items()
        for key in (layer.attn_own_keys() if isinstance(layer, Wrapper) else layer.state_dict())
    }


@pytest.mark.parametrize('name, cfg', CASES, ids=IDS)
def test_it_is_the_host_with_its_own_keys(name, cfg):
    host, model = plain(name), plugged(name, cfg)
    assert type(model) is type(host)
    if cfg is CA:
        assert len(inserted_layers(model)) == HOSTS[name][3]
    assert set(model.state_dict()) - set(host.state_dict()) == own_keys(model)
    assert set(host.state_dict()) <= set(model.state_dict())
    assert set(get_state_dict(model)) == set(model.state_dict())
    scramble(host)
    result = model.load_state_dict(host.state_dict(), strict=False)
    assert without_counts(result.missing_keys) == without_counts(own_keys(model))
    assert not result.unexpected_keys
    now = model.state_dict()
    for key, value in host.state_dict().items():
        assert torch.equal(now[key], value)
    back = plain(name)
    result = back.load_state_dict(model.state_dict(), strict=False)
    assert not result.missing_keys and set(result.unexpected_keys) == own_keys(model)


@pytest.mark.parametrize('name, cfg', CASES, ids=IDS)
def test_missing_host_keys_are_named_as_in_the_host(name, cfg):
    model = plugged(name, cfg)
    key = [key for key in model.state_dict() if key.endswith('.weight') and key not in own_keys(model)][-1]
    state = model.state_dict()
    del state[key]
    assert model.load_state_dict(state, strict=False).missing_keys == [key]


@pytest.mark.parametrize('name, cfg', CASES, ids=IDS)
def test_weights_make_the_round_trip(name, cfg):
    """Through torch's and through mmengine's own saving and loading, also below a detector's prefix."""
    model, other = plugged(name, cfg), plugged(name, cfg)
    scramble(model)
    file = io.BytesIO()
    torch.save(torch.nn.ModuleDict({'backbone': model}).state_dict(), file)
    file.seek(0)
    load_state_dict(torch.nn.ModuleDict({'backbone': other}), torch.load(file), strict=True)
    model.eval(), other.eval()
    assert torch.equal(forward(name, model), forward(name, other))


@pytest.mark.parametrize('name, cfg', CASES, ids=IDS)
def test_published_initialisation_survives_the_hosts(name, cfg):
    model = plugged(name, cfg)
    scramble(model)
    model.init_weights()
    for layer in inserted_layers(model).values():
        if cfg is IEBN:
            assert (layer.gate_weight == 0).all() and (layer.gate_bias == -1).all()
        else:
            fan_out = layer.conv_h.out_channels
            assert abs(layer.conv_h.weight.std() * (fan_out / 2) ** 0.5 - 1) < 0.5
            assert (layer.conv1.bias == 0).all()


def test_zero_initialised_residuals_reach_the_norm_through_a_plug():
    model = plugged('mmpretrain ResNet-50', IEBN, zero_init_residual=True)
    model.init_weights()
    assert (model.layer2[0].norm3.weight == 0).all()
    assert (model.layer2[0].norm3.gate_bias == -1).all()


@pytest.mark.parametrize('name, cfg', CASES, ids=IDS)
def test_copies_are_independent(name, cfg):
    model = plugged(name, cfg)
    scramble(model)
    model.eval()
    y = forward(name, model)
    twins = [copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
    average = ExponentialMovingAverage(model, momentum=0.5)
    scramble(model)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    own = [key for key in own_keys(model) if before[key].is_floating_point()]
    for twin in twins:
        assert torch.equal(forward(name, twin), y)
        twin.init_weights()  # a copy restores its own layers, not the original's
        start = twin.state_dict()
        assert own and not [key for key in own if torch.equal(start[key], before[key])]
        assert not [key for key, value in model.state_dict().items() if not torch.equal(value, before[key])]
    average.update_parameters(model)  # the first time it takes the values over
    scramble(model)
    average.update_parameters(model)
    means = dict(average.module.named_parameters())
    for key, value in model.named_parameters():
        torch.testing.assert_close(means[key], (value + before[key]) / 2)


@pytest.mark.parametrize(
    'name, cfg', [case for case in CASES if 'FPN' not in case[0]], ids=[i for i in IDS if 'FPN' not in i]
)
def test_compilers_and_fusion_compute_the_same(name, cfg):
    model = plugged(name, cfg)
    scramble(model)
    settle(
        name, model.double()
    )  # in float64 a difference is a wrong network and not the rounding of a deep one
    y = forward(name, model)
    tolerance = 1e-9 * y.abs().max()
    assert torch.isfinite(y).all() and y.std() > 0
    assert (forward(name, fuse_conv_bn(copy.deepcopy(model))) - y).abs().max() <= tolerance
    traced = torch.jit.trace(model, torch.randn(1, 3, 64, 64).double(), strict=False, check_trace=False)
    assert (forward(name, traced, dtype=torch.float64) - y).abs().max() <= tolerance


@pytest.mark.parametrize('cfg', [CA, IEBN], ids=['CA', 'IEBN'])
def test_the_whole_host_compiles_as_one_graph(cfg, name='mmpretrain MobileNetV2'):
    torch._dynamo.reset()
    model = plugged(name, cfg)
    model.eval()
    compiled = torch.compile(model, fullgraph=True, backend='eager')
    torch.testing.assert_close(forward(name, compiled), forward(name, model))


@pytest.mark.parametrize('name', [name for name in HOSTS if 'FPN' not in name])
def test_activation_checkpointing_gives_the_same_gradients(name):
    models = [plugged(name, SE, with_cp=with_cp) for with_cp in (False, True)]
    models[1].load_state_dict(models[0].state_dict())
    gradients = []
    for model in models:
        for module in model.modules():  # running statistics would be updated twice under checkpointing
            if isinstance(module, (torch.nn.Dropout,)) or type(module).__name__ == 'DropPath':
                module.p = module.drop_prob = 0.0
        torch.manual_seed(0)
        forward(name, model).square().mean().backward()
        gradients.append({key: p.grad for key, p in model.named_parameters()})
    for key, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][key], gradient, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize('cfg', [CA, IEBN], ids=['CA', 'IEBN'])
def test_frozen_stages_freeze_their_layers_at_once_and_say_so(cfg, log_lines):
    model = plugged('mmdet ResNet-50', cfg, frozen_stages=2)
    for name, layer in inserted_layers(model).items():
        frozen = name.startswith(('layer1', 'layer2')) or name == 'bn1'
        assert all(p.requires_grad != frozen for p in layer.parameters()), name
    assert 'inserted layers are in frozen stages' in ' '.join(log_lines)


def test_norm_eval_fixes_every_batch_norm_and_says_so(log_lines):
    model = plugged('mmdet ResNet-50', CA, norm_eval=True)
    model.train()
    assert not any(m.training for m in model.modules() if isinstance(m, _BatchNorm))
    assert 'norm_eval=True also fixes the batch norms inside 16 inserted layers' in ' '.join(log_lines)
    forward('mmdet ResNet-50', model).sum().backward()


def test_layers_agree_where_the_hosts_keys_agree():
    """So ImageNet weights trained with attention load into the segmentor and the detector."""
    groups = [['mmdet ResNet-50', 'mmpretrain ResNet-50'], ['mmseg MobileNetV2', 'mmpretrain MobileNetV2']]
    for cfg in (CA, IEBN):
        for first, second in groups:
            position = 'after_conv3' if 'ResNet' in first else 'after_depthwise'
            smaller, larger = plugged(first, cfg, position), plugged(second, cfg, position)
            assert set(smaller.state_dict()) <= set(larger.state_dict())
            assert own_keys(smaller) <= own_keys(larger) and own_keys(smaller)
