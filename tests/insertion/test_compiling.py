"""`compile_layers`: the numbers and names of the eager model, graphs that are counted, and one warning where nothing
compiles.
"""

import copy
import os
import pickle
import subprocess
import sys

import pytest
import torch
from mmpretrain.models import MobileNetV2, ResNet
from torch import nn
from torch._dynamo.utils import counters

from attn_plugins import compile_layers, plug
from attn_plugins.insertion import compiling
from tests.layers.check import scramble
from tests.stack import TORCH_2_1

pytestmark = pytest.mark.skipif(
    TORCH_2_1, reason='torch 2.1 cannot be told how many graphs a function may have'
)

PRESETS = {
    'SE': dict(position='after_depthwise'),
    'CoordAttention': dict(position='after_depthwise'),
    'IEBN': dict(norm='main'),
}


class Chain(nn.Module):
    """A host with a convolution of every width."""

    def __init__(self, widths):
        super().__init__()
        pairs = zip((3, *widths), widths, strict=False)
        self.convs = nn.ModuleList(nn.Conv2d(i, o, 3, padding=1) for i, o in pairs)

    def forward(self, x):
        for conv in self.convs:
            x = torch.relu_(conv(x))
        return x


def plugged(layer='SE', widths=(8, 16, 8), **options):
    torch.manual_seed(0)
    return plug(Chain(widths), [dict(cfg=dict(type=f'attn_plugins.{layer}', **options), after='convs.*')])


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """What other tests have compiled is forgotten; a backend that takes no time, as the graphs are what is tested."""
    torch._dynamo.reset()
    compiling._runner.cache_clear()
    compiling._called.clear()
    compiling._compiles.cache_clear()
    counters.clear()

    def quickly(function, recompile_limit):
        return torch.compile(function, backend='aot_eager', recompile_limit=recompile_limit)

    monkeypatch.setattr(compiling, 'compile_function', quickly)
    yield
    compiling._runner.cache_clear()
    compiling._compiles.cache_clear()


def graphs():
    return counters['stats']['unique_graphs']


def step(model, x):
    y = model(x)
    y = y[-1] if isinstance(y, tuple) else y
    model.zero_grad()
    (y * torch.arange(y.numel()).view_as(y).sin()).sum().backward()
    return [y, *(p.grad for p in model.parameters())]


@pytest.mark.parametrize('name', PRESETS)
def test_a_model_trains_as_before(name):
    torch.manual_seed(0)
    model = MobileNetV2(widen_factor=0.25, out_indices=(7,))
    model = plug(
        model,
        [
            dict(
                cfg=dict(type=f'attn_plugins.{name}', **({} if name == 'IEBN' else dict(reduction=4))),
                **PRESETS[name],
            )
        ],
    )
    scramble(model)
    model.double().train()
    eager, x = copy.deepcopy(model), torch.randn(2, 3, 64, 64, dtype=torch.float64)
    assert compile_layers(model) is model
    assert list(model.state_dict()) == list(eager.state_dict())
    for ours, theirs in zip(step(model, x), step(eager, x), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-8 * max(1, float(theirs.abs().max())))
    made = graphs()
    assert made > 1
    for ours, theirs in zip(model.buffers(), eager.buffers(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-10)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        twin(x)  # eager
    assert graphs() == made


def test_twenty_widths_and_changing_sizes_stay_compiled():
    """torch gives a function up after eight graphs: here each width has a function of its own."""
    widths = [8 * i for i in range(1, 21)]
    model = compile_layers(plugged(widths=widths, reduction=4))
    for size in (16, 24, 20, 12, 28):
        step(model, torch.randn(2, 3, size, size + 4))
    assert 20 < graphs() - 1 <= 40  # one for the probe; a width has one for a size and one for changing sizes
    before = graphs()
    step(model, torch.randn(2, 3, 36, 32))
    assert graphs() == before
    assert counters['frames']['total'] == counters['frames']['ok']


def test_layers_that_are_built_alike_share_graphs():
    step(compile_layers(plugged(widths=[8] * 6, reduction=4)), torch.randn(2, 3, 8, 8))
    assert graphs() - 1 == 1
    step(compile_layers(plugged(widths=[8], reduction=4)), torch.randn(2, 3, 8, 8))
    assert graphs() - 1 == 1


def test_layers_inside_others_are_not_compiled_twice():
    """The identity start holds the layer, a norm layer the norm."""
    torch.manual_seed(0)
    entry = dict(cfg=dict(type='attn_plugins.SE', reduction=4), after='convs.0', start='identity')
    model = compile_layers(plug(Chain([8]), [entry]))
    step(model, torch.randn(2, 3, 8, 8))
    assert graphs() - 1 == 1


def test_what_looks_at_the_single_steps_sees_the_layer():
    model = compile_layers(plugged(reduction=4)).eval()
    x = torch.randn(2, 3, 8, 8)
    y = model(x)
    made = graphs()
    traced = torch.jit.trace(model, x, check_trace=False)
    torch.testing.assert_close(traced(x), y)
    torch.testing.assert_close(torch.fx.symbolic_trace(model)(x), y)
    per_sample = torch.func.vmap(lambda x: model(x[None])[0])(x)
    torch.testing.assert_close(per_sample, y)
    assert graphs() == made
    whole = torch.compile(model, backend='aot_eager', fullgraph=True)
    torch.testing.assert_close(whole(x), y)


def test_batch_norms_over_all_processes_stay_eager():
    torch.manual_seed(0)
    model = plug(
        nn.Sequential(nn.Conv2d(3, 8, 1), nn.SyncBatchNorm(8)),
        [dict(cfg=dict(type='attn_plugins.IEBN'), norm='all')],
    )
    compile_layers(model).eval()(torch.randn(2, 3, 4, 4))
    assert graphs() == 0


def test_what_is_not_compiled_is_said(monkeypatch):
    said = []
    monkeypatch.setattr(compiling, 'print_log', lambda text, logger: said.append(text))
    host = nn.Conv2d(3, 3, 1)
    assert compile_layers(host) is host
    synced = nn.Sequential(nn.Conv2d(3, 8, 1), nn.SyncBatchNorm(8))
    compile_layers(plug(synced, [dict(cfg=dict(type='attn_plugins.IEBN'), norm='all')]))
    assert said == [
        'there is no layer to compile in this model',
        '1 layers with a batch norm over all processes are not compiled',
    ]
    assert graphs() == 0


CODE = """
import os, sys, torch, attn_plugins
from torch import nn
host = nn.Sequential(nn.Conv2d(3, 8, 1))
model = attn_plugins.plug(host, [dict(cfg=dict(type='attn_plugins.SE', reduction=4), after='0')])
attn_plugins.compile_layers(model)
attn_plugins.compile_layers(model)
print(tuple(model(torch.ones(2, 3, 4, 4)).shape), os.environ['TORCHINDUCTOR_CACHE_DIR'])
"""


def test_without_a_compiler_there_is_one_warning(tmp_path):
    environment = dict(
        os.environ,
        CXX='/nowhere/c++',
        TORCHINDUCTOR_CACHE_DIR=str(tmp_path),
        TORCHINDUCTOR_FORCE_DISABLE_CACHES='1',
    )
    run = subprocess.run([sys.executable, '-c', CODE], env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert '(2, 8, 4, 4)' in run.stdout
    assert run.stderr.count('the layers are not compiled and run as they are') == 1


def test_an_old_torch_says_so(monkeypatch):
    monkeypatch.setattr(compiling, 'counts_graphs_by_function', lambda: False)
    model = plugged(reduction=4)
    with pytest.warns(
        UserWarning, match='the layers are not compiled and run as they are: torch .* has no limit'
    ):
        compile_layers(model)
    model(torch.randn(2, 3, 8, 8))
    assert graphs() == 0


@pytest.mark.parametrize('name', ['CBAM', 'IEBN'])
def test_a_whole_resnet_is_one_graph(name):
    """`torch.compile` of the plugged host, in training, has no graph break: with the layer that has most parts, and a
    norm.
    """
    place = dict(norm='main') if name == 'IEBN' else dict(position='after_conv3')
    model = plug(ResNet(50, norm_eval=False), [dict(cfg=dict(type=f'attn_plugins.{name}'), **place)])
    model.train()
    whole = torch.compile(model, backend='eager', fullgraph=True)
    whole(torch.randn(2, 3, 32, 32))
    assert graphs() == 1 and not counters['graph_break']
