"""Names of parameters are the keys of the state dict, so what goes by names finds the host's as if nothing had been
put in.
"""

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, DefaultScope

from tests.insertion.hosts import CA, HOSTS, IEBN, forward, plain, plugged

CASES = [(name, cfg) for name in HOSTS for cfg in (CA, IEBN) if not ('FPN' in name and cfg is IEBN)]
IDS = [f'{name} + {cfg["type"].split(".")[1]}' for name, cfg in CASES]
SE = dict(type='attn_plugins.SE', reduction=4)
CONVNEXT = dict(arch=dict(depths=[1, 1, 3, 1], channels=[8, 16, 24, 32]))


@pytest.mark.parametrize('name, cfg', CASES, ids=IDS)
def test_names_of_parameters_and_buffers_are_the_keys(name, cfg):
    model = plugged(name, cfg)
    named = [*model.named_parameters(), *model.named_buffers()]
    assert {key for key, _ in named} == set(model.state_dict())
    for key, value in model.named_parameters():
        assert model.get_parameter(key) is value
    state = model.state_dict(keep_vars=True)
    assert all(state[key] is value for key, value in named)
    modules = dict(model.named_modules())
    for key in dict(plain(name).named_modules()):
        assert model.get_submodule(key) is modules[key]


def test_functional_calls_by_name_reach_the_host_and_the_layers():
    name = 'mmpretrain MobileNetV2'
    for cfg in (CA, IEBN):
        model, other = plugged(name, cfg), plugged(name, cfg)
        model.eval(), other.eval()
        state = {**dict(other.named_parameters()), **dict(other.named_buffers())}
        before = forward(name, model)
        x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
        y = torch.func.functional_call(model, {key: value.detach() for key, value in state.items()}, (x,))
        torch.testing.assert_close(y[-1], forward(name, other))
        torch.testing.assert_close(forward(name, model), before)


@pytest.mark.parametrize(
    'entry', [dict(after='stages.*'), dict(position='stage_output'), dict(position='block_output')]
)
@pytest.mark.parametrize('scope', ['mmpretrain', 'mmdet', 'mmseg'])
def test_layer_wise_learning_rates_know_every_layer(scope, entry):
    """A layer has the learning rate of the block that it stands at."""
    constructor = {
        'mmpretrain': dict(
            constructor='LearningRateDecayOptimWrapperConstructor', paramwise_cfg=dict(layer_decay_rate=0.5)
        ),
        'mmdet': dict(
            constructor='LearningRateDecayOptimizerConstructor',
            paramwise_cfg=dict(decay_rate=0.5, decay_type='layer_wise', num_layers=6),
        ),
    }
    constructor['mmseg'] = constructor['mmdet']
    with DefaultScope.overwrite_default_scope(scope):
        backbone = dict(
            type='attn_plugins.Plugged',
            host='mmpretrain.ConvNeXt',
            plugins=[dict(cfg=SE, **entry)],
            **CONVNEXT,
        )
        with DefaultScope.overwrite_default_scope('mmpretrain'):
            head = dict(type='LinearClsHead', num_classes=3, in_channels=32)
            model = MODELS.build(dict(type='ImageClassifier', backbone=backbone, head=head))
        optimizer = build_optim_wrapper(
            model, dict(optimizer=dict(type='SGD', lr=1.0, weight_decay=0.1), **constructor[scope])
        )
    rates = {id(p): group['lr'] for group in optimizer.param_groups for p in group['params']}
    assert {id(p) for p in model.parameters()} <= rates.keys()
    named = dict(model.named_parameters())
    layers = [key for key in named if '.attn_se.' in key]
    assert layers
    for key in layers:
        block = key.split('.attn_se.')[0]
        beside = next(
            p for other, p in named.items() if other.startswith(f'{block}.') and 'attn_' not in other
        )
        assert rates[id(named[key])] == rates[id(beside)], key


@pytest.mark.parametrize('position', ['after_conv3', 'block_output'])
def test_custom_keys_match_as_in_the_plain_host(position):
    """Through mmengine's own walk over the modules, with the constructor that knows the containers."""
    keys = ('layer1.0.bn3.weight', 'layer2.0.conv2.weight', 'layer3.1', 'bn1.bias', 'layer4.2.bn2.')
    plain_model = plain('mmdet ResNet-50')

    def rates(model: torch.nn.Module, constructor: str) -> dict[str, tuple]:
        wrapper = build_optim_wrapper(
            model,
            dict(
                constructor=constructor,
                optimizer=dict(type='SGD', lr=1.0, weight_decay=0.1),
                paramwise_cfg=dict(norm_decay_mult=0, custom_keys={key: dict(lr_mult=0.5) for key in keys}),
            ),
        )
        groups = {
            id(p): (group['lr'], group['weight_decay'])
            for group in wrapper.param_groups
            for p in group['params']
        }
        return {key: groups[id(p)] for key, p in model.named_parameters()}

    expected = rates(plain_model, 'DefaultOptimWrapperConstructor')
    for cfg in (CA, IEBN):
        found = rates(plugged('mmdet ResNet-50', cfg, position), 'attn_plugins.OptimWrapperConstructor')
        assert {key: found[key] for key in expected} == expected
    assert {lr for lr, _ in expected.values()} == {1.0, 0.5}
