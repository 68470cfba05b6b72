"""Hooks: channels_last changes the memory format and nothing of the numbers; weights that a part would not get are
named.
"""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import HOOKS, MODELS

from attn_plugins.errors import UserError
from attn_plugins.insertion import plug
from attn_plugins.training.hooks import StartWeightsHook
from tests.insertion.hosts import CA, plugged

PLAIN = Config(dict(model=dict(type='ImageClassifier')))


def test_maps_follow_and_numbers_stay():
    model = plugged('mmpretrain MobileNetV2', CA).double()
    model.eval()
    x = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    expected = model(x)[-1]
    HOOKS.build(dict(type='attn_plugins.ChannelsLastHook')).before_run(
        SimpleNamespace(model=model, optim_wrapper=None)
    )
    formats = []
    for name, module in model.named_modules():
        if name.endswith('attn_ca'):
            module.register_forward_hook(
                lambda module, args, output: formats.append(
                    output.is_contiguous(memory_format=torch.channels_last)
                )
            )
    torch.testing.assert_close(model(x)[-1], expected)
    assert len(formats) == 17 and all(formats)


NARROW = """
import torch
from types import SimpleNamespace
from torch import nn
from attn_plugins.training.hooks import ChannelsLastHook

model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 16, 1, 2))
ChannelsLastHook().before_run(SimpleNamespace(model=model, optim_wrapper=None))
x = torch.randn(16, 3, 64, 64)
for _ in range(5):
    model(x).square().mean().backward()
print(model[0].weight.is_contiguous(memory_format=torch.channels_last))
wide = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.Conv2d(16, 32, 1, 2), nn.Conv2d(32, 4, 1))
ChannelsLastHook().before_run(SimpleNamespace(model=wide, optim_wrapper=None))
print(wide[0].weight.is_contiguous(memory_format=torch.channels_last))
"""


def test_a_narrow_strided_convolution_does_not_crash():
    """oneDNN's gradient of its weights writes beyond its memory in channels_last: a process that is of no use."""
    done = subprocess.run([sys.executable, '-c', NARROW], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split()[-2:] == ['False', 'True']
    assert 'the model is not converted, since 1 may crash in channels_last' in done.stdout + done.stderr


def test_weights_that_a_part_would_not_get_are_named(tmp_path):
    """mmpretrain's deep stem has other names than mmseg's: mmengine loads the rest and logs one line."""
    build = lambda library: MODELS.build(  # noqa: E731
        dict(type=f'{library}.ResNetV1c', depth=18, stem_channels=8, base_channels=8)
    )
    source = {f'backbone.{key}': value for key, value in build('mmpretrain').state_dict().items()}
    torch.save(dict(state_dict=source), tmp_path / 'c.pth')
    hook = StartWeightsHook('backbone', str(tmp_path / 'c.pth'), 'backbone.')
    runner = SimpleNamespace(iter=0, cfg=PLAIN, model=torch.nn.ModuleDict(dict(backbone=build('mmpretrain'))))
    hook.before_train(runner)
    runner.model = torch.nn.ModuleDict(dict(backbone=build('mmseg')))
    with pytest.raises(
        UserError,
        match=r"weights of backbone are not in .*c.pth under 'backbone.', or .* \(first: stem.0.weight\)",
    ):
        hook.before_train(runner)
    wide = MODELS.build(dict(type='mmpretrain.ResNetV1c', depth=18, stem_channels=8, base_channels=16))
    runner.model = torch.nn.ModuleDict(dict(backbone=wide))
    with pytest.raises(UserError, match=r'of another shape \(first: layer1.0.conv1.weight\)'):
        hook.before_train(runner)
    runner.iter = 1  # resumed: it has begun with them
    hook.before_train(runner)


def test_inserted_layers_keep_their_start_on_weights_of_a_plain_part_and_it_is_said(tmp_path):
    """Layers that are put into a pretrained plain backbone; weights of some of the layers, and not of all, are
    refused.
    """
    said = []
    plain = MODELS.build(dict(type='mmpretrain.ResNet', depth=18, base_channels=8, stem_channels=8))
    host = plug(
        MODELS.build(dict(type='mmpretrain.ResNet', depth=18, base_channels=8, stem_channels=8)),
        [dict(cfg=dict(type='attn_plugins.SE', reduction=4), position='after_conv2')],
    )
    hook = StartWeightsHook('backbone', str(tmp_path / 'c.pth'), '')
    runner = SimpleNamespace(
        iter=0,
        cfg=PLAIN,
        model=torch.nn.ModuleDict(dict(backbone=host)),
        logger=SimpleNamespace(info=said.append),
    )
    torch.save(plain.state_dict(), tmp_path / 'c.pth')
    hook.before_train(runner)
    assert len(said) == 1 and 'its 8 inserted layers from their own start' in said[0]
    weights = host.state_dict()
    del weights[next(key for key in weights if 'attn_se' in key)]
    torch.save(weights, tmp_path / 'c.pth')
    with pytest.raises(UserError, match=r'1 of the .* \(first: layer1.0.bn2.attn_se'):
        hook.before_train(runner)


def test_offsets_of_deformable_convolutions_keep_their_start_on_weights_of_a_plain_part(tmp_path):
    """A detector with deformable convolutions starts from a plain classifier; a part of their offsets is refused."""
    said, options = [], dict(type='mmdet.ResNet', depth=50, base_channels=8, stem_channels=8)
    dcn = dict(dcn=dict(type='DCN', deform_groups=1), stage_with_dcn=(False, False, False, True))
    plain, host = (MODELS.build(dict(options, **more)) for more in ({}, dcn))
    hook = StartWeightsHook('backbone', str(tmp_path / 'c.pth'), '')
    runner = SimpleNamespace(
        iter=0,
        cfg=PLAIN,
        model=torch.nn.ModuleDict(dict(backbone=host)),
        logger=SimpleNamespace(info=said.append),
    )
    torch.save(plain.state_dict(), tmp_path / 'c.pth')
    hook.before_train(runner)
    assert len(said) == 1 and 'its 3 offsets of deformable convolutions from their own start' in said[0]
    weights = host.state_dict()
    del weights['layer4.0.conv2.conv_offset.bias']
    torch.save(weights, tmp_path / 'c.pth')
    with pytest.raises(UserError, match=r'1 of the .* \(first: layer4.0.conv2.conv_offset.bias'):
        hook.before_train(runner)


def test_channels_last_wraps_a_distributed_model_once_with_its_options(tmp_path):
    """Also the parts of a model that are wrapped one by one; nothing is wrapped for a test."""
    script = tmp_path / 'script.py'
    script.write_text(SCRIPT)
    env = dict(
        os.environ,
        CUDA_VISIBLE_DEVICES='',
        RANK='0',
        WORLD_SIZE='1',
        MASTER_ADDR='127.0.0.1',
        MASTER_PORT='0',
    )
    done = subprocess.run([sys.executable, script], env=env, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.split() == ['right'] * 3, done.stdout + done.stderr


SCRIPT = """
import torch
import torch.distributed
from mmengine.model import BaseModel, MMDistributedDataParallel, MMSeparateDistributedDataParallel
from mmengine.optim import OptimWrapper
from types import SimpleNamespace
from attn_plugins.training.hooks import ChannelsLastHook

torch.distributed.init_process_group('gloo', store=torch.distributed.HashStore(), rank=0, world_size=1)

class Model(BaseModel):
    def __init__(self):
        super().__init__()
        self.one, self.two = torch.nn.Conv2d(3, 4, 3), torch.nn.Conv2d(4, 4, 3)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        return self.two(self.one(inputs))

def run(model, trains=True):
    optimizer = OptimWrapper(torch.optim.SGD(model.parameters(), 0.1)) if trains else None
    runner = SimpleNamespace(model=model, optim_wrapper=optimizer)
    ChannelsLastHook().before_run(runner)
    return runner.model

first = MMDistributedDataParallel(Model(), find_unused_parameters=True, broadcast_buffers=False)
keys = list(first.state_dict())
again = run(first)
assert again is not first and list(again.state_dict()) == keys
assert again.find_unused_parameters and not again.broadcast_buffers
assert again.module.one.weight.is_contiguous(memory_format=torch.channels_last)
print('right')
apart = MMSeparateDistributedDataParallel(Model(), broadcast_buffers=False)
keys, parts = list(apart.state_dict()), [apart.module.one, apart.module.two]
again = run(apart)
assert again is apart and list(again.state_dict()) == keys
assert again.module.one is not parts[0] and type(again.module.one) is type(parts[0])
print('right')
assert run(first, trains=False) is first
print('right')
"""
