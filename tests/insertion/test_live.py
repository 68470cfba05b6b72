"""`plug` on live models of torchvision and timm: their own keys, weights, modes and devices stay."""

import copy
import pickle

import pytest
import timm
import torch
import torchvision
from mmdet.models.necks import FPN
from torch import nn

import attn_plugins
from attn_plugins import InsertionError, inserted_layers
from tests import stack
from tests.layers.check import scramble

SE = dict(type='attn_plugins.SE', reduction=4)
CA = dict(type='attn_plugins.CoordAttention')
MODELS = {
    'torchvision resnet18': (lambda: torchvision.models.resnet18(num_classes=7), 'after_conv2', 8),
    'torchvision mobilenet_v2': (
        lambda: torchvision.models.mobilenet_v2(num_classes=7, width_mult=0.35),
        'after_depthwise',
        17,
    ),
    'timm resnet18': (lambda: timm.create_model('resnet18', num_classes=7), 'after_conv2', 8),
    'timm mobilenetv3_small_050': (
        lambda: timm.create_model('mobilenetv3_small_050', num_classes=7),
        'block_output',
        11,
    ),
    'timm efficientnet_b0': (
        lambda: timm.create_model('efficientnet_b0', num_classes=7),
        'after_depthwise',
        16,
    ),
}


@pytest.mark.parametrize('name', MODELS)
def test_the_models_own_weights_stay_under_their_keys(name):
    build, position, count = MODELS[name]
    torch.manual_seed(0)
    model, plain = build(), build()
    plain.load_state_dict(model.state_dict())
    plugged = attn_plugins.plug(model, [dict(cfg=CA, position=position, start='identity')])
    assert plugged is model and type(model) is type(plain) and len(inserted_layers(model)) == count
    assert set(plain.state_dict()) < set(model.state_dict())
    now = model.state_dict()
    for key, value in plain.state_dict().items():
        assert torch.equal(now[key], value)
    x = torch.randn(2, 3, 64, 64)
    model.eval(), plain.eval()
    assert torch.equal(model(x), plain(x))
    assert not model.load_state_dict(plain.state_dict(), strict=False).unexpected_keys
    model.train()
    model(x).sum().backward()
    assert all(p.grad is not None for layer in inserted_layers(model).values() for p in layer.parameters())


def test_device_precision_and_modes_are_the_models():
    model = torchvision.models.resnet18(num_classes=7).double().eval()
    model.layer4.train()
    modes = {name: module.training for name, module in model.named_modules()}
    attn_plugins.plug(model, [dict(cfg=CA, after='layer*.*.conv2')])
    assert {p.dtype for p in model.parameters()} == {torch.float64}
    for name, module in model.named_modules():
        expected = modes.get(name, name.startswith('layer4'))
        assert module.training == expected, name


def test_a_model_of_ones_own_with_named_places():
    """A class declares its places itself."""

    class Block(nn.Module):
        attn_positions = {'after_conv1': 'before conv2', 'block_output': 'after .'}

        def __init__(self):
            super().__init__()
            self.conv1, self.conv2 = nn.Conv2d(8, 4, 1), nn.Conv2d(4, 8, 1)

        def forward(self, x):
            return x + self.conv2(self.conv1(x).relu())

    class Net(nn.Module):
        attn_stages = ('part*',)

        def __init__(self):
            super().__init__()
            self.stem = nn.Conv2d(1, 8, 1)
            self.part1, self.part2 = nn.Sequential(Block(), Block()), nn.Sequential(Block(), Block())

        def forward(self, x):
            return self.part2(self.part1(self.stem(x)))

    model = attn_plugins.plug(
        Net(),
        [
            dict(cfg=dict(type='attn_plugins.ECA'), position='after_conv1', stages=(False, True)),
            dict(cfg=SE, position='block_output', stages=((True, False), (False, True))),
            dict(cfg=dict(SE, postfix='_end'), position='stage_output', stages=(True, False)),
        ],
    )
    assert list(inserted_layers(model)) == [
        'part1.0.attn_se',
        'part1.1.attn_se_end',
        'part2.0.conv2.attn_eca',
        'part2.1.conv2.attn_eca',
        'part2.1.attn_se',
    ]
    model(torch.randn(2, 1, 6, 5)).sum().backward()


def test_a_sequential_is_not_disturbed():
    model = attn_plugins.plug(
        nn.Sequential(nn.Conv2d(3, 8, 1), nn.ReLU(), nn.Conv2d(8, 8, 1)), [dict(cfg=SE, after='1')]
    )
    assert len(model) == 3 and model(torch.randn(1, 3, 4, 4)).shape == (1, 8, 4, 4)
    assert model.state_dict().keys() == {
        '0.weight',
        '0.bias',
        '2.weight',
        '2.bias',
        *(f'1.attn_se.excitation.fc{i}.{k}' for i in (1, 2) for k in ('weight', 'bias')),
    }


def test_plugging_twice_adds():
    model = torchvision.models.resnet18(num_classes=7)
    attn_plugins.plug(model, [dict(cfg=CA, position='after_conv2')])
    attn_plugins.plug(model, [dict(cfg=SE, position='block_output')])
    assert len(inserted_layers(model)) == 16
    with pytest.raises(InsertionError, match='there is a attn_se already'):
        attn_plugins.plug(model, [dict(cfg=SE, position='block_output')])
    scramble(model)
    model.eval()
    x = torch.randn(1, 3, 32, 32)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(twin(x), model(x))


@pytest.mark.parametrize('build', [MODELS['torchvision resnet18'][0], MODELS['timm efficientnet_b0'][0]])
def test_traces_of_torch_fx_keep_the_layers(build):
    model = attn_plugins.plug(
        build(), [dict(cfg=CA, position='block_output'), dict(cfg=SE, after='**.conv*')]
    )
    scramble(model)
    model.double().eval()
    for norm in (m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)):
        norm.reset_parameters()
    x = torch.randn(2, 3, 64, 64).double()
    traced = torch.fx.symbolic_trace(model)
    torch.testing.assert_close(traced(x), model(x), rtol=1e-9, atol=1e-12)
    assert torch.fx.symbolic_trace(copy.deepcopy(traced))(x).shape == (2, 7)


def test_modules_that_are_never_called_are_refused():
    """Weights of `out_proj` are read by the attention; the module itself does not run."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 8, 1)
            self.unused = nn.Conv2d(8, 8, 1)

        def forward(self, x):
            return self.conv(x)

    with pytest.raises(InsertionError, match='unused is not called in a forward of Net'):
        attn_plugins.plug(Net(), [dict(cfg=SE, after='unused')])
    assert inserted_layers(attn_plugins.plug(Net(), [dict(cfg=dict(SE, in_channels=8), after='unused')]))


@pytest.mark.skipif(stack.TORCH_2_1, reason="torch 2.1 exports no batch norm's counter")
@pytest.mark.parametrize('strict', [False, True])
def test_exported_programs_have_the_names_of_the_state_dict(strict):
    build, position, _ = MODELS['torchvision resnet18']
    entries = [dict(cfg=CA, position=position), dict(cfg=dict(type='attn_plugins.IEBN'), norm='main')]
    model = attn_plugins.plug(build(), entries).eval()
    x = torch.randn(1, 3, 64, 64)
    program = torch.export.export(model, (x,), strict=strict)
    torch.testing.assert_close(program.module()(x), model(x))
    assert set(program.state_dict) == set(model.state_dict())


@pytest.mark.parametrize('name', ['resnet18', 'mobilenetv3_small_050'])
def test_levels_of_timms_feature_models(name):
    """One of them runs its children one by one."""
    model = timm.create_model(name, features_only=True)
    plain = copy.deepcopy(model).eval()
    attn_plugins.plug(
        model, [dict(cfg=CA, position='level_output', stages=(False,) * 3 + (True, True), start='identity')]
    )
    model.eval()
    x = torch.randn(1, 3, 64, 64)
    assert type(model).__name__ == type(plain).__name__ and isinstance(model, type(plain))
    assert [key.rpartition('.')[0] for key in inserted_layers(model)] == ['level_output.3', 'level_output.4']
    for twin in (model, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert all(torch.equal(a, b) for a, b in zip(twin(x), plain(x), strict=True))
    assert not plain.load_state_dict(model.state_dict(), strict=False).missing_keys
    with pytest.raises(InsertionError, match='there is a attn_ca already'):
        attn_plugins.plug(model, [dict(cfg=CA, position='level_output')])


def test_a_level_that_has_no_layer_is_refused():
    """A neck that is told to hand on more maps than it did when it was plugged would lose them."""
    neck = FPN([8, 8], 8, 2)
    attn_plugins.plug(neck, [dict(cfg=SE, position='level_output')])
    maps = tuple(torch.randn(1, 8, size, size) for size in (8, 4))
    assert len(neck(maps)) == 2
    neck.num_outs = 3
    with pytest.raises(ValueError, match='one has 2 parts and one 3'):
        neck(maps)
